"""Losses and scores of sets of labels, beside a computation by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

RANDOM = np.random.default_rng(0)
GATE = np.log(RANDOM.dirichlet(np.ones(3), 20)).astype(np.float32)  # (rows, experts)
LOGITS = RANDOM.normal(0, 2, size=(3, 20, 4)).astype(np.float32)
WANTED = (RANDOM.random((20, 4)) < 0.4).astype(np.float32)
TAUGHT = RANDOM.normal(size=(20, 4)).astype(np.float32)


@pytest.fixture
def answers(keras: Any) -> Any:
    from edge_experts.training.objectives.set_losses import SetLoss

    return SetLoss(share=0.25, temperature=3.0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = 1 / (1 + np.exp(-x.astype(np.float64)))
    return found


def entropy(target: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Binary cross-entropy, summed over the labels."""
    p = sigmoid(logits)
    found: np.ndarray = -(target * np.log(p) + (1 - target) * np.log(1 - p)).sum(axis=-1)
    return found


def test_likelihood_is_that_of_a_mixture_of_whole_sets(answers: Any) -> None:
    found = answers.likelihood(GATE, LOGITS, WANTED, None).numpy()
    each = np.exp(-entropy(WANTED, LOGITS)).T
    np.testing.assert_allclose(found, -np.log((np.exp(GATE) * each).sum(axis=1)), rtol=1e-4)


def test_expectation_is_that_of_a_draw_by_the_gate(answers: Any) -> None:
    found = answers.expectation(GATE, LOGITS, WANTED, None).numpy()
    expected = (np.exp(GATE) * entropy(WANTED, LOGITS).T).sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_teacher_has_its_share(answers: Any) -> None:
    packed = np.concatenate([WANTED, TAUGHT], axis=1)
    own = entropy(WANTED, LOGITS[0])
    taught = entropy(sigmoid(TAUGHT / 3), LOGITS[0] / 3)
    found = answers.of(LOGITS[0], packed).numpy()
    np.testing.assert_allclose(found, 0.75 * own + 0.25 * 9 * taught, rtol=1e-4)
    np.testing.assert_allclose(answers.of(LOGITS[0], WANTED).numpy(), own, rtol=1e-4)
    mixed = 0.75 * WANTED + 0.25 * sigmoid(TAUGHT)
    each = np.exp(-entropy(mixed, LOGITS)).T
    found = answers.likelihood(GATE, LOGITS, WANTED, TAUGHT).numpy()
    np.testing.assert_allclose(found, -np.log((np.exp(GATE) * each).sum(axis=1)), rtol=1e-4)


def test_losses_of_extreme_logits_are_finite(answers: Any) -> None:
    logits = np.array([[200.0, -200, 0, 50]], np.float32)
    assert np.isfinite(answers.of(logits, WANTED[:1]).numpy()).all()
    assert np.isfinite(answers.likelihood(GATE[:1], 3 * [logits], WANTED[:1], None).numpy()).all()


def test_experts_probabilities_are_averaged_and_given_as_logits(keras: Any) -> None:
    from edge_experts.training.objectives.outputs import COMBINATIONS

    found = COMBINATIONS["sets"].mixture(GATE, LOGITS).numpy()
    wanted = (np.exp(GATE).T[:, :, None] * sigmoid(LOGITS)).sum(axis=0)
    np.testing.assert_allclose(sigmoid(found), wanted, rtol=1e-4)
    total = COMBINATIONS["sets"].total(LOGITS).numpy()
    np.testing.assert_allclose(total, LOGITS.sum(axis=0), rtol=1e-5)


def test_f1_in_batches_is_the_best_of_one_threshold(keras: Any) -> None:
    from edge_experts.datasets.targets.label_sets import micro
    from edge_experts.training.objectives.set_losses import F1

    metric, wanted = F1(), WANTED.astype(bool)
    for rows in (slice(0, 7), slice(7, 20)):
        metric.update_state(WANTED[rows], LOGITS[0][rows])
    probabilities = sigmoid(LOGITS[0])
    best = max(micro(probabilities >= step / 100, wanted) for step in range(100))
    assert float(metric.result()) == pytest.approx(best, abs=1e-5)
    metric.reset_state()
    assert float(metric.result()) == 0.0
