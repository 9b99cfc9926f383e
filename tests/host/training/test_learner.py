"""Training a router and all experts: what each objective is, beside a computation by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ..conftest import TARGETS

Arrays = dict[str, np.ndarray]


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def _loss(model: Any, arrays: Arrays, **objective: Any) -> float:
    """What one step reports before it changes anything."""
    from edge_experts.training.learner import Learner, Objective
    from edge_experts.training.objectives.losses import AnswerLoss

    import tf_keras  # isort: skip

    learner = Learner(model, Objective(AnswerLoss(), **objective))
    learner.compile(tf_keras.optimizers.SGD(0.0))
    targets = TARGETS[:, None].astype(np.float32)
    return float(learner.train_on_batch(arrays, targets, return_dict=True)["loss"])


@pytest.fixture
def answers(make_model: Any, arrays: Arrays) -> Any:
    """A model, the gate's log-probabilities, and each expert's of the right label."""
    model = make_model()
    gate = _log_softmax(model.gate(arrays))
    right = np.stack(
        [
            _log_softmax(expert.predict(arrays, verbose=0))[np.arange(len(TARGETS)), TARGETS]
            for expert in model.experts
        ],
        axis=1,
    )
    return model, gate, right


def test_likelihood_is_that_of_the_mixture(answers: Any, arrays: Arrays) -> None:
    model, gate, right = answers
    expected = -np.log(np.exp(gate + right).sum(axis=1)).mean()
    assert _loss(model, arrays) == pytest.approx(expected, rel=1e-4)


def test_expectation_is_that_of_a_draw_by_the_gate(answers: Any, arrays: Arrays) -> None:
    model, gate, right = answers
    expected = -(np.exp(gate) * right).sum(axis=1).mean()
    assert _loss(model, arrays, kind="expectation") == pytest.approx(expected, rel=1e-4)


def test_a_cold_gate_is_a_choice(answers: Any, arrays: Arrays) -> None:
    model, gate, right = answers
    cold = _loss(model, arrays, kind="expectation", gate_temperature=(1e-4, 1e-4))
    chosen = -right[np.arange(len(gate)), gate.argmax(axis=1)].mean()
    assert cold == pytest.approx(chosen, rel=1e-3)


def test_balance_is_one_when_all_experts_are_used_alike(answers: Any, arrays: Arrays) -> None:
    model, gate, _ = answers
    share = np.exp(gate).mean(axis=0)
    more = _loss(model, arrays, balance=2.0) - _loss(model, arrays)
    assert more == pytest.approx(2 * len(share) * (share**2).sum(), rel=1e-3)


def test_decay_is_on_the_mean_and_tie_on_the_distance_from_it(answers: Any, arrays: Arrays) -> None:
    model, _, _ = answers
    weights = [expert.get_weights() for expert in model.experts]
    stacks = [np.stack(group) for group in zip(*weights, strict=True)]
    means = [stack.mean(axis=0) for stack in stacks]
    expected = 50 * sum((mean**2).sum() for mean in means)
    expected += 200 * sum(((s - mean) ** 2).sum() for s, mean in zip(stacks, means, strict=True))
    more = _loss(model, arrays, decay=50.0, tie=200.0) - _loss(model, arrays)
    assert more == pytest.approx(float(expected), rel=1e-3)


def test_experts_on_their_own_inputs_leave_the_router_alone(
    make_model: Any, arrays: Arrays
) -> None:
    from edge_experts.training import batches
    from edge_experts.training.learner import Learner, Objective
    from edge_experts.training.objectives.losses import AnswerLoss

    import tf_keras  # isort: skip

    model = make_model()
    owners = model.route(arrays)
    targets = TARGETS[:, None].astype(np.float32)
    drawn = batches.draw(arrays, targets, 8, 5, seed=0, owners=owners, experts=3)
    learner = Learner(model, Objective(AnswerLoss(), kind="own"), trains_router=False)
    learner.compile(tf_keras.optimizers.Adam(0.05))
    before = [model.router.get_weights(), *(expert.get_weights() for expert in model.experts)]
    learner.fit(drawn.dataset, verbose=0)
    learner.finish(model)
    assert all(map(np.array_equal, model.router.get_weights(), before[0]))
    for index, expert in enumerate(model.experts):
        moved = not all(map(np.array_equal, expert.get_weights(), before[index + 1]))
        assert moved == (index in owners)
    assert model.router.trainable


def test_own_batches_hold_every_example_once_an_epoch() -> None:
    from edge_experts.training import batches

    x = np.arange(50, dtype=np.float32)[:, None]
    owners = np.array([0] * 30 + [2] * 20)
    drawn = batches.draw({"x": x}, x, 8, 2, seed=1, owners=owners, experts=3)
    seen: list[list[float]] = [[], [], []]
    for inputs, _, weights in drawn.dataset:
        for expert in range(3):
            real = weights.numpy()[:, expert] > 0
            seen[expert] += inputs["x"].numpy()[real, expert, 0].tolist()
    assert sorted(seen[0]) == sorted([*range(30)] * 2)
    assert seen[1] == []
    assert sorted(seen[2]) == sorted([*range(30, 50)] * 2)
