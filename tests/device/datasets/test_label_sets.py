"""Scores, thresholds and strata of sets of labels, beside plain loops over examples and labels."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from edge_experts.datasets.targets import label_sets

_SETS = array_shapes(min_dims=2, max_dims=2, max_side=12).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)
_SCORED = array_shapes(min_dims=2, max_dims=2, max_side=12).flatmap(
    lambda shape: st.tuples(
        arrays(np.float32, shape, elements=st.floats(0, 1, width=32)), arrays(bool, shape)
    )
)


def f1(pairs: list[tuple[bool, bool]]) -> float | None:
    """F1 of decisions and truths by its definition: 2 P R / (P + R)."""
    right = sum(one and other for one, other in pairs)
    answered, wanted = sum(one for one, _ in pairs), sum(other for _, other in pairs)
    if not answered + wanted:
        return None
    if not right:
        return 0.0
    precision, recall = right / answered, right / wanted
    return 2 * precision * recall / (precision + recall)


@given(_SETS)
def test_scores_are_those_of_their_definition(sets: tuple[np.ndarray, np.ndarray]) -> None:
    answered, wanted = sets
    found = label_sets.scores(answered, wanted)
    rows, labels = answered.shape
    every = [(bool(answered[i, j]), bool(wanted[i, j])) for i in range(rows) for j in range(labels)]
    micro = f1(every)
    assert found["f1_micro"] == pytest.approx(1.0 if micro is None else micro, abs=1e-6)
    of_labels = [
        f1([(bool(answered[i, j]), bool(wanted[i, j])) for i in range(rows)])
        for j in range(labels)
        if wanted[:, j].any()
    ]
    macro = sum(map(float, filter(None, of_labels))) / len(of_labels) if of_labels else 0.0
    assert found["f1_macro"] == pytest.approx(macro, abs=1e-6)


@given(_SETS)
def test_contributions_have_the_mean_of_the_score(sets: tuple[np.ndarray, np.ndarray]) -> None:
    points = label_sets.points(*sets)
    assert points.shape == (len(sets[0]),)
    assert points.mean() == pytest.approx(100 * label_sets.micro(*sets), abs=1e-6)


@settings(deadline=None)
@given(_SCORED)
def test_thresholds_are_between_0_and_1(scored: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, wanted = scored
    thresholds = label_sets.choose_thresholds(probabilities, wanted)
    assert thresholds.shape == (wanted.shape[1],)
    assert ((thresholds > 0) & (thresholds < 1)).all()


def test_a_frequent_label_has_nearly_its_own_best_threshold() -> None:
    random = np.random.default_rng(0)
    wanted = random.random((20_000, 2)) < (0.5, 0.2)
    probabilities = np.where(wanted, random.uniform(0.3, 1, wanted.shape), 0)
    probabilities[:, 1] *= 0.2  # its probabilities are low throughout
    probabilities += random.uniform(0, 0.05, wanted.shape)
    thresholds = label_sets.choose_thresholds(probabilities, wanted)
    answered = probabilities >= thresholds
    assert label_sets.scores(answered, wanted) == {"f1_micro": 1.0, "f1_macro": 1.0}
    assert thresholds[1] < 0.1 < thresholds[0]


def test_a_rare_label_has_nearly_the_shared_threshold() -> None:
    random = np.random.default_rng(0)
    wanted = np.stack([random.random(2000) < 0.5, np.arange(2000) == 7], axis=1)
    probabilities = np.where(wanted, 0.8, random.uniform(0, 0.3, wanted.shape))
    probabilities[7, 1] = 0.99
    thresholds = label_sets.choose_thresholds(probabilities, wanted)
    # The shared one is just above 0.3, its own halfway between 0.3 and 0.99.
    assert 0.3 < thresholds[1] < 0.35
    assert thresholds[0] == pytest.approx(0.55, abs=0.02)


def test_one_set_for_all_examples_is_the_best_one() -> None:
    wanted = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1], [1, 0, 0]], bool)
    sets = [np.array([code & 1, code >> 1 & 1, code >> 2], bool) for code in range(8)]
    best = max(label_sets.micro(np.tile(one, (4, 1)), wanted) for one in sets)
    assert label_sets.same_always(wanted) == pytest.approx(best)
    assert label_sets.same_always(np.zeros((3, 0), bool)) == 0.0


def test_the_rarest_label_of_each_example() -> None:
    wanted = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0]], bool)
    assert label_sets.rarest(wanted, np.array([10, 5, 1])).tolist() == [1, 0, 2, 3]
