"""How a translator's training tells how far it is."""

from __future__ import annotations

import pytest


def test_progress_is_told_by_steps_to_the_last(
    keras: object, capsys: pytest.CaptureFixture[str]
) -> None:
    from edge_experts.training.translation.learning import TranslatorLearner
    from edge_experts.training.translation.model import translator
    from edge_experts.training.translation.network import Size
    from edge_experts.training.translation.sentence_batches import batches_of

    pairs = [([3 + row % 5] * (1 + row % 9), [8, 3 + row % 5, 2]) for row in range(60)]
    network = translator(Size(pieces=12, units=8, heads=2, inner=8), 0.0)
    learner = TranslatorLearner(network, pieces=16, rate=1e-3, drawn=12, seed=0)
    learner.train(pairs, 2, "All together")
    steps = 2 * batches_of(pairs, 16)
    told = capsys.readouterr().err.splitlines()
    assert steps > 20
    assert 10 <= len(told) <= 12, "about ten lines, where no terminal shows a bar"
    assert "epoch 1 of 2, loss " in told[0]
    assert told[-1].startswith(f"All together: {steps}/{steps} epoch 2 of 2, loss ")
