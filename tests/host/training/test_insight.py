"""What a training is said to have come to, against what must hold for any router and experts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

SETTINGS = {"router": "learned", "select": "none", "balance": 0.05}


@st.composite
def trainings(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Gates (examples, experts), answers (experts, examples), targets, and how many labels."""
    examples, experts = draw(st.integers(1, 40)), draw(st.integers(1, 9))
    labels = draw(st.integers(2, 6))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    gate = random.dirichlet(np.full(experts, draw(st.sampled_from([0.01, 1.0, 100.0]))), examples)
    answers = random.integers(0, labels, (experts, examples))
    return gate, answers, random.integers(0, labels, examples), labels


@given(trainings())
def test_what_holds_for_any_router_and_experts(training: Any) -> None:
    from edge_experts.training.report.insight import measure

    gate, answers, targets, labels = training
    found = measure(*training)
    assert found.usage.sum() == pytest.approx(1)
    assert 0 <= found.router_entropy <= found.usage_entropy + 1e-9, "a mean is the less sure"
    assert found.usage_entropy <= math.log(len(answers)) + 1e-9
    assert found.picked_accuracy <= found.oracle_accuracy
    assert found.best_expert_accuracy <= found.oracle_accuracy <= 1
    assert found.oracle_gap >= 0
    assert found.confusion.sum() == len(targets)
    assert np.trace(found.confusion.sum(axis=0)) == round(found.picked_accuracy * len(targets))
    # Of label and owner, by counting.
    owner = gate.argmax(axis=1)
    for expert, accuracy in enumerate(found.expert_accuracy):
        mine = owner == expert
        assert found.confusion[expert].sum() == mine.sum()
        assert np.isnan(accuracy) == (not mine.any())
        if mine.any():
            assert accuracy == pytest.approx(np.mean(answers[expert, mine] == targets[mine]))
        for label in range(labels):
            assert found.confusion[expert, label].sum() == (mine & (targets == label)).sum()
    assert set(np.flatnonzero(found.usage == 0)) <= set(found.dead)


@given(trainings())
def test_it_is_plain_json_and_text(training: Any) -> None:
    import json

    from edge_experts.training.report.insight import as_text, measure, warning

    found = measure(*training)
    assert json.loads(json.dumps(found.to_json(), allow_nan=False)) == found.to_json()
    assert len(as_text(found).splitlines()) <= 21
    said = warning(found, SETTINGS)
    assert said is not None or not found.collapsed


@given(trainings(), st.integers(0, 8))
def test_a_router_that_knows_its_one_expert_has_no_entropy(training: Any, one: int) -> None:
    from edge_experts.training.report.insight import measure

    _, answers, targets, labels = training
    one %= len(answers)
    found = measure(np.eye(len(answers))[np.full(len(targets), one)], answers, targets, labels)
    assert found.router_entropy == found.usage_entropy == 0
    assert found.usage[one] == 1
    assert found.collapsed == (len(answers) > 1)
    assert found.picked_accuracy == pytest.approx(np.mean(answers[one] == targets))


def test_the_oracle_gap_is_counted_as_by_hand() -> None:
    from edge_experts.training.report.insight import measure

    gate = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.2, 0.8]])
    targets = np.array([0, 1, 0, 1])
    answers = np.array([[0, 0, 0, 1], [1, 1, 1, 1]])  # picked: right, wrong, wrong, right
    found = measure(gate, answers, targets, 2)
    assert (found.picked_accuracy, found.oracle_accuracy) == (0.5, 1.0)
    assert (found.oracle_gap, found.best_expert_accuracy) == (0.5, 0.75)
    assert found.expert_accuracy.tolist() == [0.5, 0.5]
    assert found.confusion.tolist() == [[[1, 0], [1, 0]], [[0, 1], [0, 1]]]


@pytest.mark.parametrize(
    ("counts", "changes", "words"),
    [
        ([25, 25, 25, 25], {}, []),
        ([97, 1, 1, 1], {}, ["expert 0 answers 97%", "`balance`", "--select greedy"]),
        ([50, 50, 0, 0], {}, ["2 of 4 experts answer almost nothing", "--experts 2"]),
        ([97, 1, 1, 1], {"router": "kmeans"}, ["collapsed", "--experts 2) or more data"]),
        ([40, 30, 30, 0], {}, ["expert 3 of 4 almost never answers", "--experts 3"]),
        ([2, 1, 0, 0], {}, []),
        ([4, 4, 0, 0], {}, ["2 of 4 experts answer almost nothing"]),
    ],
    ids=["even", "one", "half", "fixed", "dead", "few", "enough"],
)
def test_a_warning_says_what_is_wrong_and_what_to_do(
    counts: list[int], changes: dict[str, str], words: list[str]
) -> None:
    from edge_experts.training.report.insight import measure, warning

    owner = np.repeat(range(4), counts)
    targets = np.zeros(len(owner), int)
    found = measure(np.eye(4)[owner], np.zeros((4, len(owner)), int), targets, 2)
    said = warning(found, {**SETTINGS, **changes})
    assert (said is None) == (not words)
    for word in words:
        assert word in (said or "")
    assert "balance" not in (said or "") or not changes


def test_telling_words_tell_one_experts_texts_from_the_others() -> None:
    from edge_experts.training.report.pictures.owned import telling_words

    texts = ["the good film", "the bad film"] * 20 + ["the phone was good", "a bad phone"] * 20
    words = telling_words(texts, np.repeat([0, 1], 40), [0, 1])
    assert words[0][0] == "film"
    assert words[1][0] == "phone"
    assert not {"good", "bad"} & {*words[0], *words[1]}
