"""Losses and scores of values, beside a computation by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

RANDOM = np.random.default_rng(0)
GATE = np.log(RANDOM.dirichlet(np.ones(3), 20)).astype(np.float32)  # (rows, experts)
OUTPUTS = RANDOM.normal(size=(3, 20, 2)).astype(np.float32)
WANTED = RANDOM.normal(size=(20, 2)).astype(np.float32)
TAUGHT = RANDOM.normal(size=(20, 2)).astype(np.float32)


@pytest.fixture
def answers(keras: Any) -> Any:
    from edge_experts.training.objectives.value_losses import ValueAnswers

    return ValueAnswers(share=0.25)


def squares(wanted: np.ndarray) -> np.ndarray:
    """Mean squared error over the outputs, (rows, experts)."""
    found: np.ndarray = ((OUTPUTS - wanted) ** 2).mean(axis=2).T
    return found


def test_likelihood_is_that_of_gaussians_with_the_running_variance(answers: Any) -> None:
    found = answers.likelihood(GATE, OUTPUTS, WANTED, None).numpy()
    error = squares(WANTED)
    chances = np.exp(GATE - error)  # two outputs, variance 1
    chances /= chances.sum(axis=1, keepdims=True)
    variance = 0.95 + 0.05 * (chances * error).sum(axis=1).mean()
    assert float(answers.variance.numpy()) == pytest.approx(variance, rel=1e-5)
    density = np.exp(GATE - error / variance) / (2 * np.pi * variance)
    np.testing.assert_allclose(found, -np.log(density.sum(axis=1)), rtol=1e-4)


def test_expectation_is_that_of_a_draw_by_the_gate(answers: Any) -> None:
    found = answers.expectation(GATE, OUTPUTS, WANTED, None).numpy()
    expected = (np.exp(GATE) * squares(WANTED)).sum(axis=1)
    variance = 0.95 + 0.05 * expected.mean()
    np.testing.assert_allclose(found, expected / variance, rtol=1e-4)


def test_the_variance_follows_a_small_error_down_to_its_least(answers: Any) -> None:
    exact = np.broadcast_to(WANTED, OUTPUTS.shape)
    for _ in range(300):
        answers.likelihood(GATE, exact, WANTED, None)
    assert float(answers.variance.numpy()) == pytest.approx(1e-4)


def test_a_teacher_has_its_share_of_what_is_wanted(answers: Any) -> None:
    packed = np.concatenate([WANTED, TAUGHT], axis=1)
    found = answers.of(OUTPUTS[0], packed).numpy()
    own, taught = (((OUTPUTS[0] - each) ** 2).mean(axis=1) for each in (WANTED, TAUGHT))
    constant = 0.75 * own + 0.25 * taught - 2 * found
    expected = 0.75 * 0.25 * ((WANTED - TAUGHT) ** 2).mean(axis=1)
    np.testing.assert_allclose(constant, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(answers.of(OUTPUTS[0], WANTED).numpy(), own / 2, rtol=1e-5)


@settings(deadline=None, max_examples=30)
@given(arrays(np.float32, (24, 2), elements=st.floats(-3, 3, width=32)))
def test_r2_in_batches_is_that_of_all(keras: Any, predicted: np.ndarray) -> None:
    from edge_experts.datasets.targets.regression_scores import scores
    from edge_experts.training.objectives.value_losses import R2

    wanted = np.random.default_rng(1).normal(size=(24, 2)).astype(np.float32)
    metric = R2(2)
    for rows in (slice(0, 10), slice(10, 24)):
        metric.update_state(wanted[rows], predicted[rows])
    assert float(metric.result()) == pytest.approx(
        scores(predicted, wanted, ["a", "b"])["r2"], rel=1e-3, abs=1e-3
    )
    metric.reset_state()
    metric.update_state(np.ones((4, 2), np.float32), np.ones((4, 2), np.float32))
    assert float(metric.result()) == pytest.approx(1.0)
