"""Where a model is unsure: a second expert, abstention, and no more memory than for one."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts import ExpertRuntime
from edge_experts.benchmarking.benchmark import benchmark
from edge_experts.benchmarking.measure.growth import measure_growth, room_for_one
from edge_experts.benchmarking.report import text_report
from edge_experts.errors import ManifestError
from edge_experts.format.manifest import GOLDEN, MANIFEST, FileEntry
from edge_experts.format.manifest_parser import parse_manifest, read_manifest
from edge_experts.format.npz import npz
from edge_experts.runtime import golden
from edge_experts.runtime.answer import Answer, first_probability, softmax
from edge_experts.runtime.interpreter import Expert

from ...conftest import Cli
from ..format.test_bundle_format import changed

SEVERAL: dict[str, dict[str, Any]] = {
    "sum": {"combine": "sum", "router": None},
    "top_k": {"top_k": 2},
    "second_below": {"second_below": 1.0},
}


def _rewrite(bundle: Path, **changes: Any) -> None:
    (bundle / MANIFEST).write_text(replace(read_manifest(bundle), **changes).to_json())


def _republish(bundle: Path, **changes: Any) -> None:
    """Rewrite the manifest, and the golden answers with what they are now."""
    _rewrite(bundle, **changes)
    with ExpertRuntime(bundle) as runtime:
        answers = list(runtime.predict_many(golden.read(bundle).inputs))
    stored = dict(np.load(bundle / GOLDEN))
    stored["scores"] = np.array([answer.scores for answer in answers])
    stored["experts"] = np.array([answer.expert for answer in answers])
    (bundle / GOLDEN).write_bytes(npz(**stored))
    _rewrite(bundle, golden=FileEntry.of(GOLDEN, (bundle / GOLDEN).read_bytes()))


def _answers(bundle: Path, **changes: Any) -> list[Answer]:
    _rewrite(bundle, **changes)
    with ExpertRuntime(bundle) as runtime:
        return list(runtime.predict_many(golden.read(bundle).inputs))


def _confidences(bundle: Path) -> list[float]:
    with ExpertRuntime(bundle) as runtime:
        router = runtime.models.router
        assert router is not None
        gates = [router(runtime.features.encode(text)) for text in golden.read(bundle).inputs]
    return [float(softmax(gate).max()) for gate in gates]


def test_a_second_expert_is_asked_where_the_router_is_unsure(bundle: Path) -> None:
    confidences = _confidences(bundle)
    below = float(np.median(confidences))
    one = _answers(bundle)
    two = _answers(bundle, top_k=2)
    mixed = _answers(bundle, top_k=1, second_below=below)
    assert {len(answer.experts) for answer in mixed} == {1, 2}
    for confidence, answer, alone, pair in zip(confidences, mixed, one, two, strict=True):
        expected = pair if confidence < below else alone
        assert (answer.label, answer.experts) == (expected.label, expected.experts)
        assert np.array_equal(answer.scores, expected.scores)
        assert answer.expert == answer.experts[0] == alone.expert


@pytest.mark.parametrize(("below", "like"), [(0.0, 1), (1.0, 2)])
def test_the_ends_are_top_1_and_top_2(bundle: Path, below: float, like: int) -> None:
    expected = _answers(bundle, top_k=like)
    found = _answers(bundle, top_k=1, second_below=below)
    assert [answer.experts for answer in found] == [answer.experts for answer in expected]
    assert np.array_equal([a.scores for a in found], [a.scores for a in expected])


def test_a_model_abstains_under_a_calibrated_score(bundle: Path) -> None:
    free = _answers(bundle, temperature=3.0)
    assert not any(answer.abstained for answer in free)
    below = float(np.median([answer.score for answer in free]))
    bound = _answers(bundle, abstain_below=below)
    assert {answer.abstained for answer in bound} == {True, False}
    for answer, before in zip(bound, free, strict=True):
        assert answer.abstained is (answer.score < below)
        assert (answer.label, answer.score, answer.expert) == (
            before.label,
            before.score,
            before.expert,
        )
        assert ("abstained" in repr(answer)) is answer.abstained


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=2, max_size=40))
def test_the_first_probability_is_that_of_softmax(values: list[float]) -> None:
    logits = np.array(values, np.float32)
    first = int(logits.argmax())
    assert first_probability(logits, first) == pytest.approx(softmax(logits)[first], rel=1e-5)


@pytest.mark.parametrize("way", SEVERAL)
def test_never_more_than_one_expert_where_there_is_room_for_one(bundle: Path, way: str) -> None:
    """Not even while the next is loaded: the one before it must be gone by then."""
    _rewrite(bundle, **SEVERAL[way])
    alive: weakref.WeakSet[Expert] = weakref.WeakSet()
    loads = 0
    with ExpertRuntime(bundle, memory_budget=room_for_one(bundle)) as runtime:
        real: Callable[[int], Expert] = runtime._experts._load

        def load(index: int) -> Expert:
            nonlocal loads
            assert not alive
            loads += 1
            model = real(index)
            alive.add(model)
            return model

        runtime._experts._load = load
        asked = [answer.experts for answer in runtime.predict_many(["dull", "a joy"] * 3)]
        assert len(runtime.resident) == 1
    assert min(map(len, asked)) > 1
    # What the answer before left in memory is asked first, and not loaded again.
    assert loads < sum(map(len, asked))


@pytest.mark.parametrize("way", SEVERAL)
def test_the_budget_changes_no_answer(bundle: Path, way: str) -> None:
    expected = _answers(bundle, **SEVERAL[way])
    with ExpertRuntime(bundle, memory_budget=room_for_one(bundle)) as runtime:
        found = list(runtime.predict_many(golden.read(bundle).inputs))
    assert np.array_equal([a.scores for a in found], [a.scores for a in expected])


@pytest.mark.parametrize("way", SEVERAL)
def test_bundles_that_ask_several_are_verified_and_measured(bundle: Path, way: str) -> None:
    _republish(bundle, **SEVERAL[way])
    grown = measure_growth(bundle, room_for_one(bundle))
    assert grown.experts_visited == 3
    result = benchmark(bundle, rounds=1)
    assert result.golden_examples == 32
    assert [row.name for row in result.rows] == ["sparse experts"]
    assert result.switch_cached is not None
    text = text_report.as_text(result)
    assert "No reference loop was timed: it runs one expert" in text
    assert "No baseline was measured" in text


def test_the_command_line_shows_what_is_unsure(cli: Cli, bundle: Path) -> None:
    _rewrite(bundle, second_below=1.0, abstain_below=1.0)
    done = cli("run", bundle, "dull")
    label, score, experts, name = done.stdout.rstrip("\n").split("\t")
    assert label in ("abstained (negative)", "abstained (positive)")
    assert (float(score) < 1, name) == (True, "dull")
    assert experts.startswith("experts ")
    answer = json.loads(cli("run", bundle, "dull", "--json").stdout)
    assert answer["abstained"] is True
    assert answer["expert"] == answer["experts"][0]
    assert len(answer["experts"]) == 2
    told = cli("inspect", bundle).stdout
    assert "top-2 where the router's confidence is below 100.0%" in told
    assert "abstains     if the score is below 1" in told


def test_evaluate_tells_the_answered_from_the_others(cli: Cli, bundle: Path) -> None:
    plain = json.loads(cli("evaluate", bundle, "--data", "sentiment", "--json").stdout)
    assert set(plain) == {
        *("schema_version", "accuracy", "examples", "expert_usage"),
        *("left_out", "like_trained"),
    }
    below = float(np.median(_confidences(bundle)))
    _rewrite(bundle, second_below=below, abstain_below=0.8)
    found = json.loads(cli("evaluate", bundle, "--data", "sentiment", "--json").stdout)
    assert 0 < found["asked_second"] < 1
    assert sum(found["expert_usage"]) == pytest.approx(1 + found["asked_second"], abs=1e-3)
    assert 0 < found["abstained"] < 1
    assert found["accuracy_answered"] > found["accuracy"]
    text = cli("evaluate", bundle, "--data", "sentiment").stdout
    assert f"abstained {found['abstained']:.1%}, accuracy" in text
    _rewrite(bundle, abstain_below=1.0, temperature=100.0)
    found = json.loads(cli("evaluate", bundle, "--data", "sentiment", "--json").stdout)
    assert (found["abstained"], found["accuracy_answered"]) == (1.0, None)


def test_a_bundle_from_before_the_thresholds_is_read() -> None:
    def older(content: dict[str, Any]) -> None:
        del content["second_below"], content["abstain_below"]
        content["format_version"] = "1.0"

    manifest = parse_manifest(changed(older))
    assert (manifest.second_below, manifest.abstain_below) == (None, None)
    assert manifest.asks_one


@given(st.sampled_from(["second_below", "abstain_below"]), st.floats(0, 1) | st.integers(0, 1))
def test_a_threshold_from_0_to_1_is_read(field: str, value: float) -> None:
    manifest = parse_manifest(changed(lambda content: content.update({field: value})))
    assert getattr(manifest, field) == value
    assert manifest.asks_one is (field == "abstain_below")


_NOT_A_SHARE = (
    st.floats(max_value=0, exclude_max=True, allow_infinity=False, allow_nan=False)
    | st.floats(min_value=1, exclude_min=True, allow_infinity=False, allow_nan=False)
    | st.integers(max_value=-1)
    | st.integers(min_value=2)
    | st.booleans()
    | st.text()
    | st.lists(st.floats(0, 1))
)


@given(st.sampled_from(["second_below", "abstain_below"]), _NOT_A_SHARE)
def test_any_other_threshold_is_refused(field: str, value: object) -> None:
    with pytest.raises(
        ManifestError, match=f"{field} must be a number from 0 to 1|too large a number"
    ):
        parse_manifest(changed(lambda content: content.update({field: value})))


@pytest.mark.parametrize(
    "others",
    [
        {"top_k": 2},
        {"combine": "sum", "router": None},
        {"experts": 1},
        {"experts": 1, "router": None},
    ],
)
def test_a_second_expert_needs_a_router_that_picks_one(others: dict[str, Any]) -> None:
    def change(content: dict[str, Any]) -> None:
        content.update({key: value for key, value in others.items() if key != "experts"})
        content["experts"] = content["experts"][: others.get("experts")]
        content["second_below"] = 0.5

    with pytest.raises(ManifestError, match="second_below needs a router, two experts or more"):
        parse_manifest(changed(change))


def test_summed_experts_have_no_router() -> None:
    with pytest.raises(ManifestError, match="router must be null where combine is sum"):
        parse_manifest(changed(lambda content: content.update(combine="sum")))
