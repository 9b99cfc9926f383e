"""A benchmark as text for a terminal."""

from __future__ import annotations

from .benchmark import Benchmark
from .conditions import Conditions
from .growth import Growth
from .latency import Latency
from .row import REFERENCE, SPARSE
from .table import aligned, number

NOTES = (
    "features, route, load and invoke are medians of each part. 95 %: where the same figure of "
    "another run lies. time ratio: to the sparse experts, medians paired round by round. growth: "
    "peak memory above that of Python, numpy and the interpreter, with room for one expert; its "
    "anonymous and file pages, each at its own peak."
)


def as_text(result: Benchmark) -> str:
    """Two tables: where the bundle's time goes, and the contenders side by side."""
    where = result.environment
    board = where.get("board") or where.get("cpu") or where["machine"]
    lines = [
        f"{result.bundle}: {result.golden_examples} golden examples answered as published, on "
        f"{where['interpreter']} {where['version']}, {board}, {result.threads} thread(s)",
        *conditions_told(result),
        "",
        *aligned(phase_table(result)),
        "",
        *aligned(contender_table(result)),
        "",
        NOTES,
    ]
    reference = next((row for row in result.rows if row.name == REFERENCE), None)
    if reference is not None:
        lines.append(
            f"The runtime's checks and bookkeeping cost {-reference.difference_us:.1f} µs "
            "an answer over the reference loop."
        )
    else:
        lines.append(
            "No reference loop was timed: it asks one expert, and this bundle may ask several."
        )
    if {row.name for row in result.rows} <= {SPARSE, REFERENCE}:
        lines.append(
            "No rival was measured: train one with `edge-experts train --dense all`, convert it, "
            "and pass it with --against."
        )
    if result.first_from_storage is None:
        lines.append(
            "The file system keeps the bundle in memory: no answer from storage was timed."
        )
    return "\n".join([*lines, *(f"Caution: {caution}" for caution in result.cautions)])


def conditions_told(result: Benchmark) -> list[str]:
    """What the board told of itself before, and at the end of the work; empty if nothing."""
    moments = {"before": result.before, "under load": result.under_load}
    told = [f"{name}: {_condition(moment)}" for name, moment in moments.items()]
    return ["; ".join(told)] if any(map(_condition, moments.values())) else []


def phase_table(result: Benchmark) -> list[list[str]]:
    """First answers, switches and warm answers: percentiles, and the parts' medians."""
    return [
        ["µs", "p50", "p90", "p99", "max", "features", "route", "load", "invoke"],
        _phase("open + first answer, from storage", result.first_from_storage),
        _phase("open + first answer, in page cache", result.first_cached),
        _phase("switch of experts, from storage", result.switch_from_storage),
        _phase("switch of experts, in page cache", result.switch_cached),
        _phase("warm", result.warm),
    ]


def contender_table(result: Benchmark) -> list[list[str]]:
    """The sparse bundle and its rivals, all measured in the same run."""
    header = ["side by side", "p50 µs", "95 %", "p99 µs", "time ratio", "95 %", "files kB"]
    rows = [[*header, "growth MB", "anonymous", "file"]]
    for row in result.rows:
        low, high = row.p50_interval_us
        times = [number(row.warm.total_us["p50"]), f"{number(low)} to {number(high)}"]
        low, high = row.ratio_interval
        ratio = [f"{row.ratio:.2f}", "" if row.name == SPARSE else f"{low:.2f} to {high:.2f}"]
        p99, files = number(row.warm.total_us["p99"]), f"{row.total_bytes / 1000:.0f}"
        rows.append([row.name, *times, p99, *ratio, files, *_growth(row.growth)])
    return rows


def _phase(name: str, latency: Latency | None) -> list[str]:
    if latency is None:
        return [name, *["-"] * 8]
    parts = [number(part["p50"]) for part in latency.parts_us.values()]
    return [name, *(number(value) for value in latency.total_us.values()), *parts]


def _growth(growth: Growth | None) -> list[str]:
    if growth is None:
        return ["", "", ""]
    sizes = (growth.growth_bytes, growth.anonymous_bytes, growth.file_bytes)
    return [f"{size / 1e6:.1f}" for size in sizes]


def _condition(moment: Conditions) -> str:
    told = {
        "°C": moment.temperature_c,
        "MHz": moment.frequency_mhz,
        "W": moment.power_w,
    }
    return ", ".join(f"{value:.3g} {unit}" for unit, value in told.items() if value is not None)
