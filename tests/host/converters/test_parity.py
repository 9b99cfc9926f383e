"""Parity: a bundle that answers otherwise than Keras is refused, by figures that are not chance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.errors import ThresholdError


def test_a_bundle_that_lost_too_much_accuracy_is_refused(
    make_run: Any, make_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.converters import convert
    from edge_experts.converters.verify import parity

    real = parity.compare
    monkeypatch.setattr(
        parity, "compare", lambda *answers: replace(real(*answers), deployed_accuracy=0.0)
    )
    with pytest.raises(ThresholdError, match=r"--max-accuracy-drop allows 2\.0"):
        convert(
            make_run(make_model()), tmp_path / "b", quantization="float32", max_accuracy_drop=2.0
        )
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("lost", "stated", "refused"), [(1, None, False), (10, None, True), (1, 2.0, True)]
)
def test_one_example_of_few_is_chance_unless_a_threshold_was_stated(
    lost: int, stated: float | None, refused: bool
) -> None:
    from edge_experts.converters.verify import parity

    right = np.eye(2)[np.zeros(24, int)]
    wrong = right.copy()
    wrong[:lost] = [0, 1]
    routes = np.zeros(24, int)
    found = parity.compare(right, routes, wrong, routes, np.zeros(24, int))
    assert (found.lost, found.gained) == (lost, 0)
    if refused:
        with pytest.raises(ThresholdError):
            found.refuse_beyond(stated)
    else:
        found.refuse_beyond(stated)


@pytest.mark.parametrize(
    ("changed", "confident", "refused"), [(3, 100, False), (4, 100, True), (4, 99, False)]
)
def test_labels_that_keras_is_sure_of_may_hardly_change(
    changed: int, confident: int, refused: bool
) -> None:
    from edge_experts.converters.verify import parity

    keras = np.where(np.arange(150)[:, None] < confident, [0.7, 0.3], [0.55, 0.45])
    deployed = keras.copy()
    deployed[:changed], deployed[confident:] = keras[:changed, ::-1], keras[confident:, ::-1]
    routes, targets = np.zeros(150, int), np.arange(150) % 2  # as many turn right as turn wrong
    found = parity.compare(keras, routes, deployed, routes, targets)
    found.refuse_beyond(None)
    assert found.confident == confident
    if refused:
        with pytest.raises(ThresholdError, match=r"4\.0% of the 100 .* --quantization dynamic"):
            found.refuse_disagreement()
    else:
        found.refuse_disagreement()


def test_an_expert_that_disagrees_is_named() -> None:
    from edge_experts.converters.verify import parity

    keras = np.tile([0.9, 0.1], (400, 1))
    deployed, routes = keras.copy(), np.arange(400) // 100
    deployed[200:205] = [0.1, 0.9]  # 1 % of all, 5 % of an expert's
    found = parity.compare(keras, routes, deployed, routes, np.arange(400) % 2)
    with pytest.raises(ThresholdError, match=r"^expert 2 gives another label to 5\.0% of the 100 "):
        found.refuse_disagreement()


def test_a_bundle_that_disagrees_is_refused_unless_accuracy_is_to_judge(
    make_run: Any, make_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.converters import convert
    from edge_experts.converters.verify import parity

    real, run = parity.compare, make_run(make_model())
    monkeypatch.setattr(
        parity,
        "compare",
        lambda *answers: replace(real(*answers), confident=200, equal_confident=0.9),
    )
    with pytest.raises(ThresholdError, match=r"10\.0% of the 200 .*--max-accuracy-drop"):
        convert(run, tmp_path / "b", quantization="float32")
    assert not (tmp_path / "b").exists()
    convert(run, tmp_path / "b", quantization="float32", max_accuracy_drop=2.0)
