"""Advice: what a quick look looks at, and what it concludes."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from edge_experts.datasets import Dataset, Split


@pytest.fixture
def candidate(keras: Any) -> Any:
    from edge_experts.experiments.advice.advice_verdict import Candidate

    def make(gain: float, error: float = 0.004, **more: Any) -> Any:
        settings: dict[str, Any] = {
            "name": "any",
            "experts": 4,
            "scores": {"accuracy": 0.8 + gain},
            "macs": 1000,
            "total_bytes": 10_000,
            "resident_bytes": 20_000,
            "answer_us": 50.0,
        }
        return Candidate(gain=gain, error=error, **{**settings, **more})

    return make


def _judge(sparse: Any, everything: Any, **limits: Any) -> Any:
    from edge_experts.experiments.advice.advice_verdict import judge
    from edge_experts.experiments.tasks.classification import COMPARISON

    return judge(everything, sparse, gained=COMPARISON.gained, **limits)


def test_a_clear_gain_is_likely_to_pay(candidate: Any) -> None:
    found = _judge([candidate(0.02), candidate(0.022, experts=8)], candidate(0.03))
    assert found.word == "likely"
    assert found.options == "--experts 4", "the fewest experts of those that are as good"
    assert found.command == "train"


def test_no_gain_on_many_examples_is_unlikely_to(candidate: Any) -> None:
    found = _judge([candidate(-0.002), candidate(0.0, experts=8)], candidate(0.001))
    assert found.word == "unlikely"
    assert found.options == "--dense active"
    assert "can learn little more" in found.reasons[1]


def test_few_examples_settle_nothing(candidate: Any) -> None:
    for gain in (-0.02, 0.0, 0.02):
        found = _judge([candidate(gain, 0.04)], candidate(0.01, 0.04))
        assert found.word == "unclear"
        assert found.command == "compare"
        assert "--seeds 3" in found.options


def test_a_dense_network_that_fits_and_is_as_good_is_the_better_choice(candidate: Any) -> None:
    everything = candidate(0.03, resident_bytes=80_000)
    found = _judge([candidate(0.03)], everything, memory=100_000)
    assert found.word == "unlikely"
    assert found.options == "--dense all"
    nothing_gained = candidate(0.0, resident_bytes=80_000)
    found = _judge([candidate(0.0)], nothing_gained, memory=100_000)
    assert found.options == "--dense active", "the smaller one, which is as accurate"
    found = _judge([candidate(0.03)], everything, memory=50_000)
    assert found.word == "likely"
    assert "exceeds your limits" in found.reasons[2]


@pytest.mark.parametrize(
    ("limits", "width"), [({"memory": 10_000}, 0.5), ({"latency_us": 12.0}, 0.2)]
)
def test_limits_that_are_too_narrow_ask_for_narrower_experts(
    candidate: Any, limits: Any, width: float
) -> None:
    everything = candidate(0.03, resident_bytes=80_000, answer_us=200)
    found = _judge([candidate(0.03)], everything, **limits)
    assert found.options == f"--experts 4 --width {width}"


def test_a_gains_error_is_that_of_paired_answers(keras: Any) -> None:
    from edge_experts.experiments.tasks import ModelResult
    from edge_experts.experiments.tasks.classification import COMPARISON

    def gain(right: list[bool], base: list[bool]) -> tuple[float, float]:
        one, other = (
            ModelResult({}, len(answers), tuple(float(not answer) for answer in answers))
            for answers in (right, base)
        )
        return COMPARISON.paired(one, other)

    assert gain([True] * 10, [True] * 10) == (0.0, 0.1)
    chance, gains, errors = random.Random(0), [], []
    for _ in range(300):
        base = [chance.random() < 0.8 for _ in range(400)]
        better = [right or chance.random() < 0.1 for right in base]
        difference, error = gain(better, base)
        gains.append(difference)
        errors.append(error)
    assert np.mean(gains) == pytest.approx(0.02, abs=0.002)
    assert np.mean(errors) == pytest.approx(np.std(gains), rel=0.2)


def test_the_quick_look_leaves_the_test_split_alone(keras: Any) -> None:
    from edge_experts.experiments.advice.advice import quick_look

    targets = np.array([0] * 8999 + [1])  # one example of a label
    train = Split([f"train {n}" for n in range(9000)], targets)
    held = {name: Split([f"{name} {n}" for n in range(40)], np.zeros(40, int)) for name in "vt"}
    dataset = Dataset("d", "text", "t", ("a", "b"), train, held["v"], held["t"], "a test")
    sample = quick_look(dataset, seed=0)
    assert len(sample.train) == 6000
    assert 1 in sample.train.targets
    assert set(sample.test.inputs) == set(held["v"].inputs)
    parts = [set(split.inputs) for split in (sample.train, sample.validation, sample.test)]
    assert not parts[0] & parts[1]
    assert held["t"].inputs[0] not in parts[0] | parts[1] | parts[2]
