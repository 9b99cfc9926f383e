"""Bundles that detect anomalies: exact scores, and documented errors for odd settings."""

from __future__ import annotations

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
from edge_experts.format.manifest import expert_path
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.format.npz import npz, plain_arrays
from edge_experts.runtime import golden
from edge_experts.runtime.tasks.anomaly import Anomaly, AnomalyPredictions, Deviation
from edge_experts.runtime.tasks.deviations import Deviations
from tests.attacks.bundles import publish, replaced, rewritten
from tests.tiny import INPUTS, PICKED, REGRESSION, tiny_anomaly

ERRORS, THRESHOLDS = np.array([[0.5, 0.25], [2.0, 1.0]]), np.array([2.0, 4.0])
OUTPUTS = np.stack([INPUTS[row] @ REGRESSION[pick] for row, pick in enumerate(PICKED)])
SQUARES = ((INPUTS - OUTPUTS) / ERRORS[PICKED]) ** 2
SCORES = np.sqrt(SQUARES.mean(axis=1)) / THRESHOLDS[PICKED]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e300, 1e300) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_anomaly(tmp_path / "tiny.bundle")


def deviation_of(runtime: ExpertRuntime, example: Any) -> Deviation:
    answer = runtime.predict(example)
    assert isinstance(answer, Deviation)
    return answer


def test_an_answer(tiny: Path) -> None:
    with ExpertRuntime(tiny, strict=True) as runtime:
        assert golden.check(runtime) == len(INPUTS)
        answers = [deviation_of(runtime, one) for one in INPUTS]
        rows = runtime.predict_arrays(encode_all(runtime.features, INPUTS))
        batch = runtime.predict_batch(INPUTS)
    assert isinstance(rows, AnomalyPredictions)
    assert rows.deviations == pytest.approx(SCORES, rel=1e-6)
    assert rows.labels.tolist() == (SCORES > 1).astype(int).tolist()
    assert {bool(one) for one in SCORES > 1} == {True, False}
    units = (np.array([20, 0.5]), np.array([100, -2]))
    for row, answer in enumerate(answers):
        assert answer.score == pytest.approx(SCORES[row], rel=1e-6)
        assert answer.anomalous == (SCORES[row] > 1)
        assert answer.text == ("anomalous" if SCORES[row] > 1 else "normal")
        assert answer.label == ("heat", "noise")[SQUARES[row].argmax()]
        assert answer.regime == answer.expert == PICKED[row]
        order = np.argsort(-SQUARES[row])
        share = SQUARES[row] / SQUARES[row].sum()
        shown = [place for place in order if share[place] >= 0.05]
        assert [one.feature for one in answer.odd] == [("heat", "noise")[p] for p in shown]
        for place, odd in zip(shown, answer.odd, strict=True):
            value, expected = (
                each[row, place] * units[0][place] + units[1][place] for each in (INPUTS, OUTPUTS)
            )
            assert odd.value == pytest.approx(value, rel=1e-5)
            assert odd.expected == pytest.approx(expected, rel=1e-5)
            assert odd.share == pytest.approx(share[place], abs=1e-4)
        assert answer.scores == pytest.approx(OUTPUTS[row], rel=1e-6)
        assert batch[row].score == answer.score
        assert not answer.abstained
        assert repr(answer).startswith(f"Deviation({answer.text}, score=")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.0625, 100, width=32), min_size=2, max_size=2))
def test_examples_above_their_regimes_threshold_are_anomalous(thresholds: list[float]) -> None:
    found = Deviations(
        ("heat", "noise"),
        np.zeros(2, np.float32),
        np.ones(2, np.float32),
        ERRORS.astype(np.float32),
        np.array(thresholds, np.float32),
    )
    scores = found.scores(INPUTS, OUTPUTS.astype(np.float32), PICKED)
    wanted = SCORES * THRESHOLDS[PICKED] / np.array(thresholds)[PICKED]
    assert scores == pytest.approx(wanted, rel=1e-5)


def test_numbers_that_overflow_are_anomalous_and_name_no_feature() -> None:
    one = np.ones(2, np.float32)
    found = Deviations(("heat", "noise"), 0 * one, one, one[None] * 1e-30, one[:1])
    x = np.array([1e30, 0], np.float32)
    assert not found.scores(x, 0 * one, 0) <= 1
    assert found.oddest(x, 0 * one, 0) == ()
    assert found.oddest(0 * one, 0 * one, 0) == ()


def test_another_expert_answers_for_one_that_is_damaged(tiny: Path) -> None:
    (tiny / expert_path(0)).write_bytes(b"damaged")
    row = int(np.flatnonzero(PICKED == 0)[0])
    with ExpertRuntime(tiny) as runtime:
        answer = deviation_of(runtime, INPUTS[row])
    assert answer.reason is not None
    assert answer.regime == 1
    assert answer.scores == pytest.approx(INPUTS[row] @ REGRESSION[1], rel=1e-6)
    assert "degraded" in repr(answer)


@pytest.mark.parametrize("key", ["errors", "thresholds"])
def test_altered_errors_and_thresholds_are_refused(tiny: Path, key: str) -> None:
    def change(content: dict[str, Any]) -> None:
        config = content["task_spec"]["config"]
        config[key] = (np.array(config[key]) * 1.01).tolist()

    rewritten(tiny, change)
    with ExpertRuntime(tiny) as runtime, pytest.raises(GoldenError, match="was expected"):
        golden.check(runtime)


def test_exchanged_experts_are_refused(tiny: Path) -> None:
    before = read_manifest(tiny)
    publish(tiny, replace(before, experts=before.experts[::-1]))
    with ExpertRuntime(tiny) as runtime, pytest.raises(GoldenError, match="from expert"):
        golden.check(runtime)


@pytest.mark.parametrize("key", ["mean", "scale", "errors", "thresholds"])
@pytest.mark.parametrize("value", [[0.5], [0.5] * 3, [1, True], [1, "1"], [1, 1e39], None, {}, 0.5])
def test_odd_settings_are_named(tiny: Path, key: str, value: Any) -> None:
    def change(content: dict[str, Any]) -> None:
        content["task_spec"]["config"][key] = value

    rewritten(tiny, change)
    with pytest.raises(ManifestError, match=rf"manifest\.json: task_spec: config: {key} must"):
        ExpertRuntime(tiny)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_settings_end_in_a_traceback(data: st.DataObject) -> None:
    keys = ["mean", "scale", "errors", "thresholds"]
    numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2)
    near = st.fixed_dictionaries(
        {key: numbers if key != "errors" else st.lists(numbers, max_size=2) for key in keys}
    )
    config = near | st.dictionaries(st.sampled_from(keys), numbers | _JSON) | _JSON
    spec = data.draw(_JSON | st.fixed_dictionaries({"type": st.just("anomaly"), "config": config}))
    with tempfile.TemporaryDirectory() as folder:
        bundle = tiny_anomaly(Path(folder) / "tiny.bundle")
        rewritten(bundle, lambda content: content.update(task_spec=spec))
        try:
            with ExpertRuntime(bundle) as runtime:
                answer = deviation_of(runtime, INPUTS[0])
                assert len(answer.odd) <= 2
                golden.check(runtime)
        except (BundleError, MissingPartError):
            return


@pytest.mark.parametrize("deviations", [np.zeros((4, 1)), np.zeros(3), None])
def test_golden_scores_must_be_there(tiny: Path, deviations: np.ndarray | None) -> None:
    stored = plain_arrays((tiny / "golden.npz").read_bytes())
    stored.pop("deviations")
    more = {} if deviations is None else {"deviations": deviations}
    replaced(tiny, golden=npz(**stored, **more))
    with ExpertRuntime(tiny) as runtime, pytest.raises(BundleError, match="golden"):
        golden.check(runtime)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"abstain_below": 0.5}, "abstain_below must be null"),
        ({"top_k": 2}, "combine must be 'top'"),
        ({"second_below": 0.5}, "combine must be 'top'"),
        ({"combine": "sum", "router": None}, "combine must be 'top'"),
        ({"labels": ("heat", "noise", "new")}, "mean must be a list of 3"),
    ],
)
def test_rules_of_the_task(tiny: Path, change: dict[str, Any], message: str) -> None:
    publish(tiny, replace(read_manifest(tiny), **change))
    with pytest.raises(ManifestError, match=message):
        ExpertRuntime(tiny)


def test_labels_name_every_number_of_an_example(tmp_path: Path) -> None:
    config = {
        "mean": [0.0],
        "scale": [1.0],
        "errors": [[1.0], [1.0]],
        "thresholds": [1.0, 1.0],
    }
    bundle = tiny_anomaly(tmp_path / "tiny.bundle")
    spec = read_manifest(bundle).task_spec
    assert spec is not None
    made = replace(read_manifest(bundle), labels=("heat",), task_spec=replace(spec, config=config))
    publish(bundle, made)
    with pytest.raises(ManifestError, match="labels must name the 2 numbers"):
        ExpertRuntime(bundle)


def test_scores_as_deployed(tmp_path: Path) -> None:
    scores = {"auroc": 0.9, "detection_rate": 0.5, "false_alarm_rate": 0.01}
    whole = {"test_scores": scores, "test_examples": 40}
    normal = {"test_scores": {"false_alarm_rate": 0.02}, "test_examples": 30}
    for name, provenance, words in (
        ("a", whole, "AUROC        0.9000 as deployed, on 40 test examples; 50.0%"),
        ("b", normal, "not known, no anomalous examples; false alarms on 2.0%"),
        ("c", {"test_scores": {"auroc": 2.0}, "test_examples": 4}, "not known as deployed"),
    ):
        manifest = read_manifest(tiny_anomaly(tmp_path / name, provenance=provenance))
        assert words in Anomaly.deployed_score(manifest)


def test_drift_is_of_the_mean_reconstruction() -> None:
    assert Anomaly.drift_values(np.array([[0.0, 1.0], [2.0, 4.0]])).tolist() == [0.5, 3.0]
