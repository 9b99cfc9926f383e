"""Comparison of two benchmarks: changes, and whether they are significant."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...text_table import aligned, number
from ..measure import intervals
from ..row import SPARSE

SCHEMA_VERSION = "1.0"
_SHOWN = ("edge_experts", "interpreter", "version", "board", "cpu", "machine", "governor")


@dataclass(frozen=True)
class LatencyChange:
    """Change of one contender's latency from the first file to the second; below 1 is faster."""

    name: str
    first_us: float
    second_us: float
    time: float
    time_interval: tuple[float, float]
    relative: float | None  # of its time divided by the sparse experts' in the same run
    relative_interval: tuple[float, float] | None

    @property
    def verdict(self) -> str:
        low, high = self.time_interval
        return "faster" if high < 1 else "slower" if low > 1 else "no difference found"


@dataclass(frozen=True)
class PairedComparison:
    first: str
    second: str
    paired: bool
    changes: tuple[LatencyChange, ...]
    differences: dict[str, tuple[object, object]]  # between the two environments
    only_in_one: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        changes = [{**asdict(change), "verdict": change.verdict} for change in self.changes]
        return {"schema_version": SCHEMA_VERSION, **asdict(self), "changes": changes}


def compare(first: Path, second: Path) -> PairedComparison:
    """Compare two files that `edge-experts benchmark --json` wrote.

    If both have the same inputs, times are compared input by input, and the median change is
    reported; the interval is over sessions, see `intervals.of_ratio`.

    Raises:
        UsageError: a file is not a benchmark's result, or they have no contender in common.
    """
    a, b = _read(first), _read(second)
    paired = a["inputs_sha256"] == b["inputs_sha256"]
    rows = {row["name"]: row for row in b["rows"]}
    changes = [_change(row, rows[row["name"]], paired) for row in a["rows"] if row["name"] in rows]
    names = [{row["name"] for row in content["rows"]} for content in (a, b)]
    places = [(content["environment"], content["threads"]) for content in (a, b)]
    told = [{**environment, "threads": threads} for environment, threads in places]
    return PairedComparison(
        first=str(first),
        second=str(second),
        paired=paired,
        changes=tuple(changes),
        differences={
            name: (told[0].get(name), told[1].get(name))
            for name in (*_SHOWN, "threads")
            if told[0].get(name) != told[1].get(name)
        },
        only_in_one=tuple(sorted(names[0] ^ names[1])),
    )


def _change(first: Mapping[str, Any], second: Mapping[str, Any], paired: bool) -> LatencyChange:
    p50 = [row["warm"]["total_us"]["p50"] for row in (first, second)]
    if paired:
        pairs = zip(first["input_p50_us"], second["input_p50_us"], strict=True)
        time = math.exp(statistics.median(math.log(after / before) for before, after in pairs))
    else:
        time = p50[1] / p50[0]
    relative, interval = None, None
    if first["name"] != SPARSE:
        relative = second["ratio"] / first["ratio"]
        interval = intervals.of_ratio(relative, second["session_ratio"], first["session_ratio"])
    return LatencyChange(
        name=first["name"],
        first_us=p50[0],
        second_us=p50[1],
        time=time,
        time_interval=intervals.of_ratio(time, second["session_p50_us"], first["session_p50_us"]),
        relative=relative,
        relative_interval=interval,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        for row in content["rows"]:
            _change(row, row, paired=True)
        content["environment"], content["threads"], content["inputs_sha256"]
    except FileNotFoundError:
        raise UsageError(f"--compare {path}: no such file") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"--compare {path}: not what `edge-experts benchmark BUNDLE --json > {path.name}` "
            f"writes ({type(error).__name__}: {error})"
        ) from None
    result: dict[str, Any] = content
    return result


def as_text(found: PairedComparison) -> str:
    """Format a table for a terminal, with an explanation."""
    table = [["second / first", "first µs", "second µs", "time", "95 %", "beside sparse", "95 %"]]
    for change in found.changes:
        cells = [change.name, number(change.first_us), number(change.second_us)]
        cells += [f"{change.time:.3f}", _interval(change.time_interval)]
        if change.relative is None or change.relative_interval is None:
            cells += ["", ""]
        else:
            cells += [f"{change.relative:.3f}", _interval(change.relative_interval)]
        table.append(cells)
    lines = aligned(table)
    lines += [""]
    lines += [f"{change.name}: {change.verdict}" for change in found.changes]
    if not found.paired:
        lines.append("The two have different inputs: medians are compared, not input by input.")
    lines += [f"{name} differs: {a} and {b}" for name, (a, b) in found.differences.items()]
    if found.only_in_one:
        lines.append(f"Measured in one of them only: {', '.join(found.only_in_one)}")
    lines.append(
        "The intervals hold chance within each run. What differs between the runs as a whole "
        "(heat, other programs) shows in time, and hardly in the time beside sparse experts."
    )
    return "\n".join(lines)


def _interval(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}"
