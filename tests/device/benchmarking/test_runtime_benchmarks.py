"""The benchmarks of the runtime, in short forms, and what they must show everywhere."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.runtime import kernels, loading, scale, tight
from device_tests import soak
from device_tests.machine_limits import Limits, groups
from edge_experts import ExpertRuntime, subprocesses
from edge_experts.errors import BundleError, MachineError, ThresholdError
from edge_experts.format.manifest import expert_path
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import forking
from edge_experts.runtime.interpreter import Model
from edge_experts.runtime.memory import costs
from edge_experts.runtime.tasks.base import SCORE_TOLERANCE

from ..many import INPUTS


def test_a_soak_in_four_threads(many_experts: Path) -> None:
    found = soak.soak(many_experts, requests=50_000, threads=4)
    found.refuse()
    assert found.requests == 50_000
    assert found.experts > 50
    assert 0 < found.most_bytes <= found.budget_bytes


def test_each_quarter_of_a_short_soak_has_its_memory(many_experts: Path) -> None:
    found = soak.soak(many_experts, requests=16, threads=4)
    assert min(found.quarters) > 1_000_000


@pytest.mark.parametrize(
    "harm", [{"wrong": 1}, {"over_budget": 1}, {"quarters": (5, 5, 5, 2_000_000)}]
)
def test_a_soak_that_went_wrong_says_so(harm: dict[str, Any]) -> None:
    fine = soak.Soak(100, 0, 4, 64, 1000, 1.0, 0, 0, 900, (1, 1_000_000, 9, 1_500_000))
    fine.refuse()
    with pytest.raises(ThresholdError, match="wrong answers"):
        replace(fine, **harm).refuse()


def test_attention_is_timed_beside_the_plain_way(language_bundle: Path) -> None:
    short, long = _json("attention", language_bundle, "--contexts", "64,512")["contexts"]
    assert (short["context"], long["context"]) == (64, 512)
    # Both ways were compared before they were timed; how long they take depends on the machine.
    for time in ("prompt_us", "plain_prompt_us", "written_us", "plain_written_us"):
        assert min(short[time], long[time]) > 0


def test_a_soak_of_a_language_model(language_bundle: Path) -> None:
    """Four texts at a time, with room for three experts beside all that texts need."""
    found = soak.soak(language_bundle, requests=40, threads=4, experts=3)
    assert (found.requests, found.wrong, found.over_budget) == (40, 0, 0)


def _output(*arguments: object) -> str:
    """Stdout of `python -m benchmarks`, run in this process."""
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def _json(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_output(*arguments, "--json"))
    return found


def test_soaks_of_other_features_ask_the_golden_inputs(sentiment_bundle: Path) -> None:
    options = ("--requests", 400, "--threads", 2, "--experts", 1)
    assert _json("soak", sentiment_bundle, *options)["wrong"] == 0


def test_loading_leaves_nothing_behind(many_experts: Path) -> None:
    """tflite-runtime's list of signatures did: 18 blocks of Python's memory for each load."""
    content = (many_experts / expert_path(0)).read_bytes()
    arrays = {"x": INPUTS[0][None]}

    def load(times: int) -> int:
        for _ in range(times):
            Model(content, "expert")(arrays)
        return sys.getallocatedblocks()

    load(50)
    before = load(50)
    assert load(500) - before < 500


def test_the_overhead_is_measured(many_experts: Path) -> None:
    arguments = ("overhead", many_experts, "--answers", 640, "--switches", 64)
    found = _json(*arguments)
    assert found["warm"]["predict_us"] > 0
    assert found["switch"]["switch_us"] > found["switch"]["read_and_check_us"]
    assert found["prefetched"]["hits"] > 0
    assert _output(*arguments).splitlines()[1].split()[:2] == ["warm", "predict_us"]


def test_ways_of_loading_are_measured(many_experts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_PROCESSES", 1)
    ways = _json("loading", many_experts)["ways"]
    assert [way["name"] for way in ways] == list(loading.WAYS)
    assert all(way["load_us"] > 0 for way in ways)
    monkeypatch.setattr(
        loading, "WAYS", {name: loading.WAYS[name] for name in list(loading.WAYS)[:2]}
    )
    assert "ratio" in _output("loading", many_experts)


def test_kernels_are_measured(many_experts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_PROCESSES", 1)
    monkeypatch.setattr(kernels, "_SETTINGS", ((1, 1), (1, 2)))
    found = _json("kernels", many_experts)["settings"]
    assert {setting["delegate"] for setting in found} == {"xnnpack", "none"}
    assert all(setting["answer_us"] > 0 for setting in found)
    monkeypatch.setattr(kernels, "_DELEGATES", ("none",))
    assert "callers" in _output("kernels", many_experts)


def test_scale_is_measured_and_drawn(
    many_experts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(scale, "_PROCESSES", 1)
    shutil.copytree(many_experts, tmp_path / "64.bundle")
    picture = tmp_path / "scale.png"
    (size,) = _json("scale", tmp_path, "--counts", 64, "--picture", picture)["sizes"]
    assert (size["experts"], size["router_us"] > 0, size["answer_us"] > 0) == (64, True, True)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert _output("scale", tmp_path, "--counts", 64).splitlines()[1].split()[0] == "64"


def test_experts_answer_under_a_cap(many_experts: Path) -> None:
    try:
        with groups(Limits(memory=64_000_000, storage=90_000_000), many_experts) as made:
            assert all(group.is_dir() for group in made)
    except MachineError as error:
        pytest.skip(str(error))
    assert made
    assert not any(group.exists() for group in made)
    found = _json("tight", many_experts, "--cap", 64, "--budget", 1)
    assert (found["answered"], found["wrong"]) == (64, 0)
    with pytest.raises(ThresholdError, match="63 of 64 experts"):
        tight.Tight(64, 145_920, 64_000_000, 1_000_000, 63, 1, 0).refuse()
    with pytest.raises(MachineError, match="ended early"):
        tight.tight(many_experts, cap=2_000_000, budget=1_000_000)


def _costs(bundle: Path) -> dict[str, int]:
    with ExpertRuntime(bundle) as runtime:
        arrays = runtime.features.encode(INPUTS[0])
        return costs.measure(bundle, runtime.manifest, arrays, runtime.task)


def test_costs_are_measured_on_the_machine_itself(many_experts: Path) -> None:
    manifest = read_manifest(many_experts)
    found = subprocesses.call(_costs, many_experts)
    assert manifest.router is not None
    assert set(found) == {entry.path for entry in (manifest.router, *manifest.experts)}
    assert all(found[entry.path] >= 2 * entry.bytes for entry in manifest.experts)


def test_the_error_of_a_child_process_is_reported() -> None:
    with pytest.raises(BundleError, match="ZeroDivisionError"):
        subprocesses.call(_fails)


def _fails() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("delegate", ["xnnpack", "none"])
def test_delegates_agree(many_experts: Path, delegate: Any) -> None:
    with (
        ExpertRuntime(many_experts) as expected,
        ExpertRuntime(many_experts, delegate=delegate, threads=2) as runtime,
    ):
        for example in INPUTS[:50]:
            one, other = expected.predict(example), runtime.predict(example)
            assert one.label == other.label
            # Integer kernels may differ in the last bit, as those of different boards do.
            assert one.scores == pytest.approx(other.scores, abs=SCORE_TOLERANCE)


def test_what_happens_in_a_child_happens_here_too(many_experts: Path) -> None:
    """Coverage does not see children: the hook is called in this process."""
    with ExpertRuntime(many_experts, pin=[3], prefetch=True) as runtime:
        before = [runtime.predict(example).scores for example in INPUTS[:30]]
        with runtime._experts._lock:  # as if another thread had held it
            forking._in_child()
        assert runtime.resident == ()
        assert np.array_equal(before, [runtime.predict(x).scores for x in INPUTS[:30]])
        runtime.pin(3)
        assert 3 in runtime.resident
