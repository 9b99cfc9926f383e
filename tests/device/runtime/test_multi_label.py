"""Bundles that answer with several labels: exact sets, and documented errors for odd settings."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from edge_experts import ExpertRuntime
from edge_experts.errors import BundleError, GoldenError, ManifestError, MissingPartError
from edge_experts.features import encode_all
from edge_experts.format.drift_reference import DriftReference, Histogram
from edge_experts.format.manifest import expert_path
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.format.npz import npz, plain_arrays
from edge_experts.runtime import golden
from edge_experts.runtime.answer import softmax
from edge_experts.runtime.tasks.multi_label import LabelSet, LabelSets, MultiLabel, sigmoid
from tests.attacks.bundles import publish, replaced, rewritten
from tests.tiny import INPUTS, PICKED, REGRESSION, tiny_labels

LABELS = ("red", "round")
LOGITS = np.stack([INPUTS[row] @ REGRESSION[pick] for row, pick in enumerate(PICKED)])
SCORES = np.array([[1 / (1 + math.exp(-one)) for one in row] for row in LOGITS.tolist()])
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_labels(tmp_path / "tiny.bundle")


def labels_of(runtime: ExpertRuntime, example: Any) -> LabelSet:
    answer = runtime.predict(example)
    assert isinstance(answer, LabelSet)
    return answer


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=2))
def test_labels_are_those_from_their_thresholds(thresholds: list[float]) -> None:
    wanted = (SCORES.astype(np.float32) >= np.array(thresholds, np.float32)).tolist()
    with tempfile.TemporaryDirectory() as folder:
        bundle = tiny_labels(Path(folder) / "tiny.bundle", thresholds=thresholds)
        with ExpertRuntime(bundle, strict=True) as runtime:
            assert golden.check(runtime) == len(INPUTS)
            found = [labels_of(runtime, one) for one in INPUTS]
            rows = runtime.predict_arrays(encode_all(runtime.features, INPUTS))
    assert [one.present.tolist() for one in found] == wanted
    assert isinstance(rows, LabelSets)
    assert rows.present.tolist() == wanted
    for answer, scores, row in zip(found, SCORES, wanted, strict=True):
        names = [LABELS[place] for place in np.argsort(-scores) if row[place]]
        assert list(answer.labels) == names
        assert set(answer.text.split(";")) == set(names or ["(no label)"])


def test_an_answer(tiny: Path) -> None:
    with ExpertRuntime(tiny) as runtime:
        answers = [labels_of(runtime, one) for one in INPUTS]
        other = runtime.predict_batch(INPUTS)[1]
    texts = ["red", "(no label)", "red;round", "round"]
    order = [LOGITS[row].argsort()[::-1].tolist() for row in range(4)]
    for row, answer in enumerate(answers):
        assert answer.scores == pytest.approx(SCORES[row], rel=1e-6)
        assert answer.label == LABELS[order[row][0]]
        assert answer.score == pytest.approx(SCORES[row].max(), rel=1e-6)
        present = SCORES[row] >= (0.75, 0.25)
        assert answer.text == (";".join(np.array(LABELS)[present]) or "(no label)")
        assert answer.probabilities == pytest.approx(
            {LABELS[place]: SCORES[row, place] for place in order[row] if present[place]}, rel=1e-6
        )
        assert set(answer.thresholds.items()) <= {("red", 0.75), ("round", 0.25)}
        assert list(answer.thresholds) == list(answer.labels)
        assert not answer.abstained
        assert repr(answer) == f"LabelSet({answer.text}, expert={PICKED[row]})"
    assert len(set(texts)) == 4
    assert other.text == answers[1].text


def test_sigmoid_of_any_logits() -> None:
    logits = np.array([-np.inf, -1e30, -100, 0, 100, 1e30, np.inf], np.float32)
    with np.errstate(all="raise"):
        found = sigmoid(logits)
    assert found.dtype == np.float32
    assert found == pytest.approx([0, 0, 0, 0.5, 1, 1, 1], abs=1e-30)
    assert np.isnan(sigmoid(np.array([np.nan], np.float32))).all()


def test_probabilities_of_two_experts_are_averaged_by_the_gate(tiny: Path) -> None:
    publish(tiny, replace(read_manifest(tiny), top_k=2))
    gates: list[Any] = []
    with ExpertRuntime(tiny) as runtime:
        runtime.observer = lambda gate, output: gates.append(gate)
        for example in INPUTS:
            answer = labels_of(runtime, example)
            order = list(answer.experts)
            each = sigmoid(np.array([example @ REGRESSION[one] for one in order], np.float32))
            wanted = softmax(gates[-1][order]) @ each
            assert answer.scores == pytest.approx(wanted, rel=1e-4, abs=1e-6)
            assert sorted(order) == [0, 1]


def test_logits_are_summed_without_a_router(tiny: Path) -> None:
    publish(tiny, replace(read_manifest(tiny), combine="sum", router=None))
    with ExpertRuntime(tiny) as runtime:
        for example in INPUTS:
            answer = labels_of(runtime, example)
            wanted = sigmoid((example @ REGRESSION.sum(axis=0)).astype(np.float32))
            assert answer.scores == pytest.approx(wanted, rel=1e-6)
            assert answer.expert == -1


def test_another_expert_answers_for_one_that_is_damaged(tiny: Path) -> None:
    (tiny / expert_path(0)).write_bytes(b"damaged")
    row = int(np.flatnonzero(PICKED == 0)[0])
    with ExpertRuntime(tiny) as runtime:
        answer = labels_of(runtime, INPUTS[row])
    assert answer.reason is not None
    assert answer.reason.startswith("expert 0")
    assert answer.scores == pytest.approx(sigmoid(INPUTS[row] @ REGRESSION[1]), rel=1e-6)
    assert "degraded" in repr(answer)


def test_another_threshold_and_another_expert_are_refused(tiny: Path) -> None:
    before = read_manifest(tiny)
    place = int(np.argmax(SCORES[0]))

    def change(content: dict[str, Any]) -> None:
        content["task_spec"]["config"]["thresholds"][place] = float(SCORES[0, place]) + 0.001

    rewritten(tiny, change)
    with ExpertRuntime(tiny) as runtime, pytest.raises(GoldenError, match="was expected"):
        golden.check(runtime)
    publish(tiny, replace(before, experts=before.experts[::-1]))
    with ExpertRuntime(tiny) as runtime, pytest.raises(GoldenError, match="from expert"):
        golden.check(runtime)


@pytest.mark.parametrize(
    "value", [[0.5], [0.5] * 3, [0.5, -0.1], [0.5, 1.1], [0.5, True], [0.5, "1"], None, {}, 0.5]
)
def test_odd_thresholds_are_named(tiny: Path, value: Any) -> None:
    def change(content: dict[str, Any]) -> None:
        content["task_spec"]["config"]["thresholds"] = value

    rewritten(tiny, change)
    with pytest.raises(ManifestError, match=r"manifest\.json: task_spec: config: thresholds must"):
        ExpertRuntime(tiny)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_settings_end_in_a_traceback(data: st.DataObject) -> None:
    near = st.dictionaries(
        st.sampled_from(["thresholds", "x"]), st.lists(st.floats(0, 1), max_size=3) | _JSON
    )
    config = near | _JSON
    spec = data.draw(
        _JSON | st.fixed_dictionaries({"type": st.just("multi-label"), "config": config})
    )
    with tempfile.TemporaryDirectory() as folder:
        bundle = tiny_labels(Path(folder) / "tiny.bundle")
        rewritten(bundle, lambda content: content.update(task_spec=spec))
        try:
            with ExpertRuntime(bundle) as runtime:
                runtime.predict(INPUTS[0])
                golden.check(runtime)
        except (BundleError, MissingPartError):
            return


@pytest.mark.parametrize("present", [np.zeros((4, 1), bool), np.zeros(4, bool), np.eye(4), None])
def test_golden_labels_must_be_there(tiny: Path, present: np.ndarray | None) -> None:
    stored = plain_arrays((tiny / "golden.npz").read_bytes())
    stored.pop("present")
    replaced(tiny, golden=npz(**stored, **({} if present is None else {"present": present})))
    with ExpertRuntime(tiny) as runtime, pytest.raises(BundleError, match="golden"):
        golden.check(runtime)


def test_rules_of_the_task(tiny: Path) -> None:
    before = read_manifest(tiny)
    publish(tiny, replace(before, abstain_below=0.5))
    with pytest.raises(ManifestError, match="abstain_below must be null"):
        ExpertRuntime(tiny)
    publish(tiny, replace(before, labels=("red", "round", "new")))
    with pytest.raises(ManifestError, match="thresholds must be a list of 3"):
        ExpertRuntime(tiny)


def test_drift_is_of_the_largest_probability(tmp_path: Path) -> None:
    assert MultiLabel.drift_values(np.array([[0.1, 0.3], [0.9, 0.8]])).tolist() == [0.3, 0.9]
    largest = np.linspace(0, 0.9, 400)
    edges = np.quantile(largest, np.arange(1, 10) / 10)
    counts = np.bincount(np.searchsorted(edges, largest, side="right"), minlength=10)
    score = Histogram(tuple(edges.tolist()), tuple(counts.tolist()))
    flat = Histogram((), (400,))
    reference = DriftReference(score, experts=(200, 200), confidence=flat, entropy=flat)
    bundle = tiny_labels(tmp_path / "watched.bundle", reference=reference)
    with ExpertRuntime(bundle, monitor=True) as runtime:
        for _ in range(200):
            runtime.predict(INPUTS[2] * np.float32(10))
        assert runtime.drift is not None
        assert runtime.drift.drifted
