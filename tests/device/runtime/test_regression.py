"""Bundles of regression: exact values, and nothing but documented errors for odd settings."""

from __future__ import annotations

import os
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
from edge_experts.format.manifest import TaskSpec, expert_path
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import golden
from edge_experts.runtime.answer import softmax
from edge_experts.runtime.tasks.regression import Estimate, Estimates, Regression
from tests.attacks.bundles import publish, rewritten
from tests.tiny import INPUTS, PICKED, REGRESSION, tiny_bundle, tiny_regression

OUTPUTS = np.stack([INPUTS[row] @ REGRESSION[pick] for row, pick in enumerate(PICKED)])
_MEANS = st.floats(-1e6, 1e6, width=32)
_SCALES = st.floats(2**-10, 1e6, width=32)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)  # fmt: skip


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_regression(tmp_path / "tiny.bundle")


def estimate(runtime: ExpertRuntime, example: Any) -> Estimate:
    answer = runtime.predict(example)
    assert isinstance(answer, Estimate)
    return answer


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(_MEANS, _SCALES), min_size=1, max_size=2))
def test_values_are_exact(units: list[tuple[float, float]]) -> None:
    mean, scale = zip(*units, strict=True)
    wanted = OUTPUTS[:, : len(units)].astype(np.float32)
    wanted = wanted * np.array(scale, np.float32) + np.array(mean, np.float32)
    with tempfile.TemporaryDirectory() as folder:
        bundle = tiny_regression(Path(folder) / "tiny.bundle", mean=mean, scale=scale)
        with ExpertRuntime(bundle, strict=True) as runtime:
            assert golden.check(runtime) == len(INPUTS)
            found = [list(estimate(runtime, one).values.values()) for one in INPUTS]
            rows = runtime.predict_arrays(encode_all(runtime.features, INPUTS))
        assert found == wanted.tolist()
        assert isinstance(rows, Estimates)
        assert rows.values.tolist() == wanted.tolist()


def test_one_output_and_its_text(tmp_path: Path) -> None:
    with ExpertRuntime(tiny_regression(tmp_path / "one.bundle", mean=[7], scale=[2])) as runtime:
        answer = estimate(runtime, INPUTS[0])
    assert answer.values == {"price": 2 * OUTPUTS[0, 0] + 7}
    assert answer.text == f"{2 * OUTPUTS[0, 0] + 7:g}"
    assert answer.label == "price"
    assert answer.scores.tolist() == [OUTPUTS[0, 0]]


def test_an_answer_to_several_outputs(tiny: Path) -> None:
    with ExpertRuntime(tiny) as runtime:
        answer = estimate(runtime, INPUTS[1])
        other = runtime.predict_batch(INPUTS)[1]
    price, width = OUTPUTS[1] * (20, 0.5) + (100, -2)
    assert answer.values == {"price": price, "width": width}
    assert answer.text == other.text == f"price {price:g}, width {width:g}"
    assert answer.score == OUTPUTS[1].mean()
    assert answer.expert == PICKED[1]
    assert not answer.abstained
    assert not answer.degraded
    assert repr(answer) == f"Estimate({answer.text}, expert={answer.expert})"


def test_rows_have_outputs_values_experts(tiny: Path) -> None:
    with ExpertRuntime(tiny) as runtime:
        rows = runtime.predict_arrays(encode_all(runtime.features, INPUTS))
        empty = runtime.predict_arrays({"x": np.zeros((0, 2), np.float32)})
    assert isinstance(empty, Estimates)
    assert rows.scores.tolist() == OUTPUTS.tolist()
    assert rows.experts.tolist() == PICKED.tolist()
    assert not rows.degraded.any()
    assert empty.values.shape == (0, 2)


def test_two_experts_are_averaged_by_the_gate(tiny: Path) -> None:
    publish(tiny, replace(read_manifest(tiny), top_k=2))
    gates: list[Any] = []
    with ExpertRuntime(tiny) as runtime:
        runtime.observer = lambda gate, output: gates.append(gate)
        for example in INPUTS:
            answer = estimate(runtime, example)
            order = list(answer.experts)
            weights = softmax(gates[-1][order])
            wanted = weights @ np.array([example @ REGRESSION[one] for one in order], np.float32)
            assert answer.scores == pytest.approx(wanted, rel=1e-6)
            assert sorted(order) == [0, 1]


def test_a_second_expert_is_asked_where_the_router_is_unsure(tiny: Path) -> None:
    publish(tiny, replace(read_manifest(tiny), second_below=1.0))
    with ExpertRuntime(tiny) as runtime:
        assert {len(estimate(runtime, one).experts) for one in INPUTS * np.float32(0.01)} == {2}


def test_experts_are_summed(tiny: Path) -> None:
    publish(tiny, replace(read_manifest(tiny), combine="sum", router=None))
    with ExpertRuntime(tiny) as runtime:
        for example in INPUTS:
            answer = estimate(runtime, example)
            assert answer.scores.tolist() == (example @ REGRESSION.sum(axis=0)).tolist()
            assert answer.expert == -1


def test_another_expert_answers_for_one_that_is_damaged(tiny: Path) -> None:
    (tiny / expert_path(0)).write_bytes(b"damaged")
    row = int(np.flatnonzero(PICKED == 0)[0])
    with ExpertRuntime(tiny) as runtime:
        answer = estimate(runtime, INPUTS[row])
        rows = runtime.predict_arrays(encode_all(runtime.features, INPUTS))
    assert answer.degraded
    assert answer.reason is not None
    assert answer.reason.startswith("expert 0")
    assert answer.scores.tolist() == (INPUTS[row] @ REGRESSION[1]).tolist()
    assert rows.degraded.tolist() == (PICKED == 0).tolist()
    assert "degraded" in repr(answer)


def test_a_forked_child_estimates_the_same(tiny: Path) -> None:
    with ExpertRuntime(tiny) as runtime:
        wanted = [estimate(runtime, one).values for one in INPUTS]
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            found = [estimate(runtime, one).values for one in INPUTS]
            os.write(writing, b"same" if found == wanted else b"other")
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reading, 5) == b"same"
    os.close(reading)
    os.close(writing)


def scaled(place: int, factor: float) -> Any:
    def change(content: dict[str, Any]) -> None:
        content["task_spec"]["config"]["scale"][place] *= factor

    return change


@pytest.mark.parametrize("factor", [1.001, 0.5, 1e6])
@pytest.mark.parametrize(("place", "name"), [(0, "price"), (1, "width")])
def test_another_scale_is_refused(tiny: Path, place: int, name: str, factor: float) -> None:
    rewritten(tiny, scaled(place, factor))
    with (
        ExpertRuntime(tiny) as runtime,
        pytest.raises(GoldenError, match=rf"{name} .* was expected \(they differ by \d"),
    ):
        golden.check(runtime)


def test_another_mean_and_another_expert_are_refused(tiny: Path) -> None:
    before = read_manifest(tiny)
    config = {"mean": [100.1, -2.0], "scale": [20.0, 0.5]}
    publish(tiny, replace(before, task_spec=TaskSpec("regression", config)))
    with ExpertRuntime(tiny) as runtime, pytest.raises(GoldenError, match=r"price .* was expected"):
        golden.check(runtime)
    publish(tiny, replace(before, experts=before.experts[::-1]))
    with ExpertRuntime(tiny) as runtime, pytest.raises(GoldenError, match="from expert"):
        golden.check(runtime)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scale", [20.0]),
        ("scale", [20.0, 0.5, 1.0]),
        ("scale", [20.0, 0.0]),
        ("scale", [20.0, -1.0]),
        ("scale", [20.0, 1e-60]),
        ("scale", [20.0, 1e60]),
        ("scale", [20.0, True]),
        ("scale", [20.0, "1"]),
        ("scale", None),
        ("scale", {}),
        ("mean", [1.0]),
        ("mean", [1.0, None]),
        ("mean", [1.0, 1e300]),
        ("mean", 3.5),
    ],
)
def test_odd_settings_are_named(tiny: Path, key: str, value: Any) -> None:
    def change(content: dict[str, Any]) -> None:
        content["task_spec"]["config"][key] = value

    rewritten(tiny, change)
    with pytest.raises(ManifestError, match=rf"manifest\.json: task_spec: config: {key} must be"):
        ExpertRuntime(tiny)
    with pytest.raises(ManifestError, match=key):
        golden.read(tiny)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_settings_end_in_a_traceback(data: st.DataObject) -> None:
    lists = st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(), max_size=3)
    near = st.dictionaries(st.sampled_from(["mean", "scale", "x"]), lists | _JSON)
    spec = data.draw(
        _JSON
        | st.fixed_dictionaries({"type": st.just("regression"), "config": near | _JSON})
        | st.fixed_dictionaries({"type": st.sampled_from(["classification", "translation", "x"]),
                                 "config": near})
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        bundle = tiny_regression(Path(folder) / "tiny.bundle")
        rewritten(bundle, lambda content: content.update(task_spec=spec))
        try:
            with ExpertRuntime(bundle) as runtime:
                assert runtime.task.name in ("regression", "classification")
                runtime.predict(INPUTS[0])
                golden.check(runtime)
        except (BundleError, MissingPartError):
            return


@pytest.mark.parametrize("values", [np.zeros((4, 1)), np.zeros(4), np.zeros((4, 2), bool), None])
def test_golden_values_must_be_there(tiny: Path, values: np.ndarray | None) -> None:
    from edge_experts.format.npz import npz, plain_arrays
    from tests.attacks.bundles import replaced

    stored = plain_arrays((tiny / "golden.npz").read_bytes())
    stored.pop("values")
    replaced(tiny, golden=npz(**stored, **({} if values is None else {"values": values})))
    with ExpertRuntime(tiny) as runtime, pytest.raises(BundleError, match="golden"):
        golden.check(runtime)


def test_rules_of_the_task(tiny: Path) -> None:
    before = read_manifest(tiny)
    publish(tiny, replace(before, abstain_below=0.5))
    with pytest.raises(ManifestError, match="abstain_below must be null"):
        ExpertRuntime(tiny)
    publish(tiny, replace(before, labels=("price", "width", "depth")))
    with pytest.raises(ManifestError, match="mean must be a list of 3"):
        ExpertRuntime(tiny)


def test_layers_are_refused(tiny: Path) -> None:
    def layered(content: dict[str, Any]) -> None:
        router = content["router"]
        content.update(router=None, layers=[{"router": router, "experts": 2}])

    rewritten(tiny, layered)
    with pytest.raises(ManifestError, match="layers must be empty"):
        ExpertRuntime(tiny)


def test_format_1_cannot_hold_it(tiny: Path) -> None:
    assert read_manifest(tiny).format_version == "2.0"
    rewritten(tiny, lambda content: content.update(format_version="1.5"))
    with ExpertRuntime(tiny) as runtime:
        assert runtime.task.name == "classification"
        with pytest.raises(BundleError):
            golden.check(runtime)


def test_drift_is_of_the_mean_output() -> None:
    assert Regression.drift_values(np.array([[1, 3], [-5, 0]])).tolist() == [2, -2.5]


def test_changed_outputs_are_noticed(tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    means = dice.normal(size=400) / 4
    edges = np.quantile(means, np.arange(1, 10) / 10)
    counts = np.bincount(np.searchsorted(edges, means, side="right"), minlength=10)
    score = Histogram(tuple(edges.tolist()), tuple(counts.tolist()))
    flat = Histogram((), (400,))
    reference = DriftReference(score, experts=(200, 200), confidence=flat, entropy=flat)
    bundle = tiny_regression(tmp_path / "watched.bundle", reference=reference)
    with ExpertRuntime(bundle, monitor=True) as runtime:
        assert runtime.drift is not None
        for _ in range(200):
            runtime.predict(INPUTS[0] * np.float32(10))
        found = runtime.drift
    assert found.drifted
    assert found.signals["score"].distance > 0.5


def test_a_bundle_of_labels_is_no_bundle_of_regression(tmp_path: Path) -> None:
    with ExpertRuntime(tiny_bundle(tmp_path / "labels.bundle")) as runtime:
        assert not isinstance(runtime.predict(INPUTS[0]), Estimate)
