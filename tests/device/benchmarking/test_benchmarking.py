"""The benchmark's parts: statistics that hold, and sensors, caches and processes as they are."""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import subprocesses
from edge_experts.benchmarking.cautions import cautions
from edge_experts.benchmarking.measure import conditions, intervals, page_cache
from edge_experts.benchmarking.measure.conditions import Conditions
from edge_experts.benchmarking.measure.timeline import Recorder, Watched
from edge_experts.benchmarking.report import paired
from edge_experts.benchmarking.session import Session
from edge_experts.errors import BundleError, UsageError
from edge_experts.runtime.memory import process_memory

from ...tiny import INPUTS, tiny_bundle

ENVIRONMENT: dict[str, object] = {"load_average": 0.0}


def _run(chance: random.Random, center: float = 100.0, sessions: int = 8) -> list[float]:
    return [center * math.exp(chance.gauss(0, 0.05)) for _ in range(sessions)]


@pytest.mark.parametrize("mood", [0.0, 0.025])
def test_another_run_lies_in_the_interval(mood: float) -> None:
    """Also where a whole run is slower or faster, by half as much as sessions differ."""
    chance, hits = random.Random(0), 0
    for _ in range(2000):
        ours, theirs = (_run(chance, 100 * math.exp(chance.gauss(0, mood))) for _ in range(2))
        low, high = intervals.of_another_run(statistics.geometric_mean(ours), ours)
        hits += low <= statistics.geometric_mean(theirs) <= high
    assert hits / 2000 > 0.95


@pytest.mark.parametrize("true", [1.0, 1.3])
def test_the_interval_of_a_ratio_holds_the_true_one(true: float) -> None:
    chance, hits = random.Random(1), 0
    for _ in range(2000):
        mood = math.exp(chance.gauss(0, 0.025))
        ours, theirs = _run(chance, 100 * true * mood), _run(chance, 100, 5)
        ratio = statistics.geometric_mean(ours) / statistics.geometric_mean(theirs)
        low, high = intervals.of_ratio(ratio, ours, theirs)
        hits += low <= true <= high
    assert hits / 2000 > 0.95


def test_one_session_says_nothing_of_another() -> None:
    assert intervals.of_another_run(5.0, [5.0]) == (0.0, math.inf)
    assert intervals.of_ratio(1.0, [5.0], [5.0, 5.0]) == (0.0, math.inf)
    assert intervals.of_ratio(1.0, [5.0, 5.0], [5.0, 5.0]) == (1.0, 1.0)


def test_a_function_runs_in_a_separate_process() -> None:
    assert subprocesses.call(os.getpid) != os.getpid()
    assert subprocesses.call(round, 2.567, ndigits=1) == 2.6
    assert subprocesses.call(print, "does not disturb the result") is None
    with pytest.raises(BundleError, match=r"separate process failed: .*No such file"):
        subprocesses.call(os.stat, "/no/such/file")
    with pytest.raises(BundleError, match="exit code 7"):
        subprocesses.call(os._exit, 7)


@pytest.mark.skipif(sys.platform != "linux", reason="the page cache of Linux")
def test_files_leave_the_page_cache(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(os.urandom(300_000))
    before = page_cache.bytes_from_storage()
    file.read_bytes()
    assert page_cache.bytes_from_storage() == before
    on_storage = page_cache.can_evict(file)
    page_cache.evict(file)
    before = page_cache.bytes_from_storage()
    file.read_bytes()
    assert on_storage is (page_cache.bytes_from_storage() - before >= 300_000)


def _sysfs(folder: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return folder


def test_what_a_raspberry_pi_tells(tmp_path: Path) -> None:
    cpu = "devices/system/cpu/cpu"
    files: dict[str, object] = {
        "class/thermal/thermal_zone0/temp": 61234,
        f"{cpu}0/cpufreq/scaling_cur_freq": 1500000,
        f"{cpu}1/cpufreq/scaling_cur_freq": 600000,
        f"{cpu}0/cpufreq/cpuinfo_max_freq": 1800000,
        f"{cpu}0/cpufreq/scaling_governor": "ondemand",
        "class/hwmon/hwmon1/power1_input": 3250000,
        "class/hwmon/hwmon2/power1_input": "not now",
        "devices/platform/soc/soc:firmware/get_throttled": "20002",
    }
    found = conditions.read(_sysfs(tmp_path, files))
    assert found == Conditions(61.234, 600.0, 1800.0, 3.25, 0x20002, None, "ondemand")


def test_a_board_that_tells_nothing(tmp_path: Path) -> None:
    assert conditions.read(tmp_path) == Conditions()
    assert conditions.throttling(Conditions(), Conditions()) == []


@pytest.mark.parametrize(
    ("before", "after", "reasons"),
    [
        (0x0, 0x0, []),
        (0x50000, 0x50000, []),  # long ago
        (0x0, 0x10000, ["under-voltage"]),  # in between, over again
        (0x0, 0x40004, ["throttled"]),
        (0x20002, 0x20002, ["capped clock"]),  # all the time
    ],
)
def test_throttling_is_what_happened_meanwhile(before: int, after: int, reasons: list[str]) -> None:
    first, second = (Conditions(throttle_flags=flags) for flags in (before, after))
    assert conditions.throttling(first, second) == reasons


def _sessions(
    times: Any,
    under_load: Conditions = Conditions(),  # noqa: B008  frozen
) -> list[Session]:
    return [Session({"ours": rows}, [], under_load) for rows in times]


def _told(sessions: list[Session], interval: tuple[float, float] = (99.0, 101.0)) -> list[str]:
    return cautions("ours", sessions, interval, Conditions(), ENVIRONMENT)


def test_a_quiet_board_needs_no_caution() -> None:
    steady = np.random.default_rng(0).normal(100, 2, (8, 5, 32))
    assert _told(_sessions(steady)) == []


def test_every_caution_says_what_to_do() -> None:
    steady = np.random.default_rng(0).normal(100, 2, (8, 5, 32))
    slower = steady * np.linspace(1, 1.5, 8)[:, None, None]
    assert "let it cool" in _told(_sessions(slower))[0]
    spiky = steady.copy()
    spiky[:, :, ::16] *= np.where(np.arange(5) == 2, 9, 1)[:, None]
    assert "taskset" in _told(_sessions(spiky))[0]
    assert "--seconds" in _told(_sessions(steady), (50, 200))[0]
    hot = _sessions(steady, Conditions(throttle_flags=0x80008))
    told = cautions("ours", hot, (99, 101), Conditions(throttle_flags=0), ENVIRONMENT)
    assert "soft temperature limit" in told[0]
    busy = {"load_average": 64.0 * (os.cpu_count() or 1), "governor": "ondemand"}
    other = _sessions(steady, Conditions(governor="powersave"))
    told = cautions("ours", other, (99, 101), Conditions(governor="performance"), ENVIRONMENT)
    assert "from performance to powersave" in told[0]
    told = cautions("ours", _sessions(steady), (99, 101), Conditions(), busy)
    assert "stop them" in told[0]
    assert "scaling_governor" in told[1]


def test_every_load_and_every_eviction_is_noted() -> None:
    """Also of an expert that came and went between two samples."""
    clock = iter((1.0, 1.5, 2.0, 3.0))
    recorder = Recorder(process_memory.Memory(100, 0, 10, 0), lambda: next(clock))
    for resident, loaded, there in ((150, [0], (0,)), (160, [1, 0], (0,)), (160, [], ())):
        recorder.sample(process_memory.Memory(resident, 0, 20, 0), loaded, there)
        assert loaded == []
    found = recorder.found
    assert found.milliseconds == [500, 1000, 2000]
    assert found.resident_bytes == [50, 60, 60]
    assert found.anonymous_bytes == [10, 10, 10]
    assert found.loads == [(0, 0), (1, 1), (1, 0)]
    assert sorted(found.evictions) == [(1, 0), (1, 1), (2, 0)]


def test_an_expert_that_returns_within_one_answer_was_loaded(tmp_path: Path) -> None:
    both = tiny_bundle(tmp_path / "tiny", second_below=1.0)
    with Watched(both, max_experts=1) as runtime:
        for row in INPUTS:
            assert len(runtime.predict(row).experts) == 2
            assert len(runtime.models.loaded) == runtime.counts.loads
        assert runtime.counts.loads >= len(INPUTS)


def _result(path: Path, chance: random.Random, factor: float = 1.0, digest: str = "x") -> Path:
    """A result file with a sparse bundle, and a rival of twice its time."""
    by_input = np.linspace(80, 120, 32)
    mood = math.exp(chance.gauss(0, 0.02))  # of the machine in this run
    rows = []
    for name, ratio in (("sparse experts", 1.0), ("all", 2.0)):
        sessions = [100 * mood * ratio * factor * math.exp(chance.gauss(0, 0.01)) for _ in range(8)]
        rows.append(
            {
                "name": name,
                "warm": {"total_us": {"p50": statistics.median(sessions)}},
                "ratio": ratio,
                "session_p50_us": sessions,
                "session_ratio": [ratio * math.exp(chance.gauss(0, 0.005)) for _ in range(8)],
                "input_p50_us": (by_input * mood * ratio * factor).tolist(),
            }
        )
    environment = {"machine": "aarch64", "version": str(factor)}
    content = {"rows": rows, "environment": environment, "threads": 1, "inputs_sha256": digest}
    path.write_text(json.dumps(content))
    return path


def test_a_change_is_told_from_chance(tmp_path: Path) -> None:
    chance = random.Random(3)
    first = _result(tmp_path / "a.json", chance)
    slower = paired.compare(first, _result(tmp_path / "b.json", chance, 1.3))
    assert [change.verdict for change in slower.changes] == ["slower", "slower"]
    assert slower.changes[0].time == pytest.approx(1.3, abs=0.1)
    assert slower.changes[1].relative == pytest.approx(1.0, abs=0.02)
    assert slower.paired
    assert slower.differences == {"version": ("1.0", "1.3")}
    same = paired.compare(first, first)
    assert [change.verdict for change in same.changes] == ["no difference found"] * 2
    assert "slower" in paired.as_text(slower)
    other = _result(tmp_path / "c.json", chance, digest="y")
    unpaired = paired.compare(first, other)
    assert not unpaired.paired
    assert "have different inputs" in paired.as_text(unpaired)
    assert unpaired.to_json()["changes"][0]["verdict"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"rows": [{}]}', '{"rows": 3}', "\0"])
def test_a_file_that_is_no_result_is_refused(tmp_path: Path, content: str) -> None:
    good = _result(tmp_path / "a.json", random.Random(0))
    bad = tmp_path / "b.json"
    bad.write_text(content)
    with pytest.raises(UsageError, match=r"--compare .*b.json: not what"):
        paired.compare(good, bad)
    with pytest.raises(UsageError, match="no such file"):
        paired.compare(tmp_path / "none.json", good)
