"""Report of a deployment: lines of text for each board, and its benchmark in a file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..format.atomic import write_whole
from ..text_table import aligned, number
from .outcome import Outcome


def folder_for(bundle: Path) -> Path:
    """Folder of results beside the bundle: sentiment.boards for sentiment.bundle."""
    bundle = bundle.absolute()
    return bundle.with_name(f"{bundle.name.removesuffix('.bundle')}.boards")


def refuse_unwritable(folder: Path) -> None:
    """Check the folder of results before boards work for minutes.

    Raises:
        UsageError: results cannot be saved there.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--save {folder}: must be a folder")
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"--save {folder}: the folder {folder.absolute().parent} does not exist")


def save(outcome: Outcome, folder: Path) -> str:
    """Write a board's benchmark as `edge-experts benchmark --json` prints it; returns the path."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{re.sub(r'[^A-Za-z0-9@._-]+', '-', outcome.host)}.json"
    write_whole(path, json.dumps(outcome.benchmark, ensure_ascii=False, indent=2) + "\n")
    return str(path)


def as_text(outcomes: Sequence[Outcome], saved: Mapping[str, str]) -> str:
    """Results of the boards that did not fail, and a table of the measured ones."""
    lines = [line for one in outcomes for line in _told(one)]
    measured = [one for one in outcomes if one.benchmark is not None]
    if measured:
        lines += ["", *aligned(_table(measured))]
        for one in measured:
            cautions = (one.benchmark or {})["cautions"]
            lines += [f"Caution, {one.host}: {caution}" for caution in cautions]
        lines += [f"{host}: kept in {path}" for host, path in saved.items()]
    return "\n".join(lines)


def _told(one: Outcome) -> list[str]:
    if one.dry_run and one.error is None:
        environment = "is right" if one.environment == "kept" else "would be built"
        would = (one.wheels_bytes or 0) + (one.bundle_bytes or 0)
        lines = [
            f"{one.host}: {one.board}; the environment {environment}; {would:,} bytes of files "
            f"would be sent for {one.bundle}"
        ]
    elif one.current is None:
        return []
    else:
        what = "is current" if one.changed else "was current already"
        moved = (one.wheels_bytes or 0) + (one.bundle_bytes or 0)
        lines = [
            f"{one.host}: {one.current} {what} in {one.bundle}; environment {one.environment}, "
            f"{moved:,} bytes moved, {one.seconds} s"
        ]
    if one.unit is not None:
        lines.append(f"  the unit {one.unit.path}; to serve from now on: {one.unit.enable}")
    if one.image_files is not None:
        lines.append(f"  for the board to read image files: {one.image_files}")
    if one.restart is not None:
        lines.append(f"  for a running server to take the new environment: {one.restart}")
    return lines


def _table(measured: Sequence[Outcome]) -> list[list[str]]:
    rows = [["board", "p50 µs", "95 %", "p99 µs", "first answer ms", "growth MB"]]
    for one in measured:
        result: dict[str, Any] = one.benchmark or {}
        sparse, first = result["rows"][0], result["first_from_storage"] or result["first_cached"]
        low, high = sparse["p50_interval_us"]
        total = sparse["warm"]["total_us"]
        rows.append(
            [
                one.host,
                number(total["p50"]),
                f"{number(low)} to {number(high)}",
                number(total["p99"]),
                "-" if first is None else number(first["total_us"]["p50"] / 1000),
                "-"
                if sparse["growth"] is None
                else f"{sparse['growth']['growth_bytes'] / 1e6:.1f}",
            ]
        )
    return rows
