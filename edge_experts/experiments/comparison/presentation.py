"""Output of a finished comparison as text, JSON and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...format.atomic import write_whole
from ...text_table import aligned
from . import comparison_picture
from .contenders import DENSE_ACTIVE
from .results import Comparison, ComparisonRow
from .verdict import judge

_COSTS = ("multiply-adds", "files kB", "deflated", "resident kB")


def as_text(result: Comparison) -> str:
    """Format the table, the conditions of the measurement, and the verdict."""
    task = result.task
    scores = (task.title, "95 %", "float", *task.others.values())
    head = ("as deployed", "numbers", *scores, *_COSTS, "gap closed")
    lines = aligned([head, *(_cells(result, row) for row in result.rows)])
    lines += [f"{name}: not available, {reason}" for name, reason in result.unavailable.items()]
    judged = f"{result.examples:,} {'validation' if result.quick else 'test'} examples"
    several = f"means of {len(result.seeds)} seeds" if len(result.seeds) > 1 else "one seed"
    look = ", a quick look" if result.quick else ""
    lines.append(f"({result.data}, {judged}, trained on {result.trained_on:,}{look}, {several})")
    if len(result.seeds) == 1:
        lines.append(
            "One seed: there is no interval over trainings. `edge-experts compare` with --seeds 3 "
            "trains each row three times."
        )
    return "\n".join([*lines, *judge(result).sentences])


def _cells(result: Comparison, row: ComparisonRow) -> list[str]:
    costs, interval = row.costs, row.interval
    sizes = (costs.total_bytes, costs.compressed_bytes, costs.resident_bytes)
    return [
        row.name,
        costs.quantization,
        f"{row.score:.4f}",
        "" if interval is None else f"± {interval[1] - row.score:.4f}",
        f"{row.float_score:.4f}",
        *(f"{row.mean(name):,.5g}" for name in result.task.others),
        f"{costs.macs:,}",
        *(f"{size / 1000:,.0f}" for size in sizes),
        _closed(result, row),
    ]


def _closed(result: Comparison, row: ComparisonRow) -> str:
    closed, interval = result.gap_closed(row), result.gap_interval(row)
    if closed is None or row.name == DENSE_ACTIVE:
        return ""
    return f"{closed:.2f}" if interval is None else f"{closed:.2f} ± {interval[1] - closed:.2f}"


def as_json(result: Comparison) -> dict[str, Any]:
    """Figures of the comparison, with the verdict."""
    return {**result.to_json(), "verdict": judge(result).to_json()}


def write(result: Comparison, folder: Path, *, command: str = "") -> None:
    """Write comparison.json and comparison.png to `folder`.

    Args:
        command: the command line of the comparison.
    """
    content = json.dumps({**as_json(result), "command": command}, ensure_ascii=False, indent=2)
    write_whole(folder / "comparison.json", content + "\n")
    comparison_picture.draw(result, folder / "comparison.png")
