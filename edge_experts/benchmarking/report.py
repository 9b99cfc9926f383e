"""A benchmark as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from .benchmark import REFERENCE, Benchmark
from .growth import Growth
from .latency import Latency

NOTES = (
    "features, route, load and invoke are medians of each part. time ratio: to the sparse "
    "experts, medians paired round by round. growth: peak memory above that of Python, numpy and "
    "the interpreter, with room for one expert; its anonymous and file pages, each at its own peak."
)


def as_text(result: Benchmark) -> str:
    """Two tables: where the bundle's time goes, and the contenders side by side."""
    where = result.environment
    board = where.get("board") or where.get("cpu") or where["machine"]
    lines = [
        f"{result.bundle}: {result.golden_examples} golden examples answered as published, on "
        f"{where['interpreter']} {where['version']}, {board}, {result.threads} thread(s)",
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
    if len(result.rows) < 3:
        lines.append(
            "No rival was measured: train one with `edge-experts train --dense all`, convert it, "
            "and pass it with --against."
        )
    return "\n".join(lines)


def phase_table(result: Benchmark) -> list[list[str]]:
    """Cold, switch and warm: percentiles, and the medians of the parts; microseconds."""
    return [
        ["µs", "p50", "p90", "p99", "max", "features", "route", "load", "invoke"],
        _phase("cold: open + first answer", result.cold),
        _phase("switch: expert not in memory", result.switch),
        _phase("warm", result.warm),
    ]


def contender_table(result: Benchmark) -> list[list[str]]:
    """The sparse bundle and its rivals, all measured in the same run."""
    header = ["side by side", "p50 µs", "p99 µs", "time ratio", "files kB"]
    rows = [[*header, "growth MB", "anonymous", "file"]]
    for row in result.rows:
        times = [_number(row.warm.total_us["p50"]), _number(row.warm.total_us["p99"])]
        files = f"{row.total_bytes / 1000:.0f}"
        rows.append([row.name, *times, f"{row.ratio:.2f}", files, *_growth(row.growth)])
    return rows


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _phase(name: str, latency: Latency | None) -> list[str]:
    if latency is None:
        return [name, *["-"] * 8]
    parts = [_number(part["p50"]) for part in latency.parts_us.values()]
    return [name, *(_number(value) for value in latency.total_us.values()), *parts]


def _growth(growth: Growth | None) -> list[str]:
    if growth is None:
        return ["", "", ""]
    sizes = (growth.growth_bytes, growth.anonymous_bytes, growth.file_bytes)
    return [f"{size / 1e6:.1f}" for size in sizes]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
