"""The page: what was measured, as figures and tables, where, and how to measure it again."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from ....errors import MissingExtraError, UsageError
from ....format.strict_json import harmless
from ....text_table import number
from ...benchmark import Benchmark
from ..text_report import (
    contender_table,
    energy_told,
    memory_told,
    notes,
    phase_table,
    writing_table,
)
from .reading import Compared

_NEEDED = {"matplotlib": "matplotlib", "jinja2": "Jinja2"}


def require(path: Path, option: str = "--report") -> None:
    """Before anything is measured: whether the page can be made.

    Raises:
        UsageError: its folder does not exist.
        MissingExtraError: what draws it is not installed.
    """
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{option} {path}: the folder {path.parent} does not exist")
    for module, name in _NEEDED.items():
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(name, "report")


def as_html(result: Benchmark, comparison: Compared | None = None) -> str:
    """One page that loads nothing and runs nothing; every text in it is escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["harmless"] = lambda value: harmless(str(value))
    template = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        result=result,
        figures=_figures(result, comparison),
        place=_place(result.environment),
        highlights=_highlights(result),
        phases=phase_table(result),
        contenders=contender_table(result),
        writing=writing_table(result),
        notes=notes(result),
        memory=memory_told(result),
        conditions=_conditions(result),
        energy=None if result.energy is None else energy_told(result.energy),
        comparison=comparison,
        compared=None if comparison is None else _compared(comparison),
    )


def _figures(result: Benchmark, comparison: Compared | None) -> dict[str, Any]:
    from . import accuracies, experts, latencies, svg, timelines

    with svg.drawing():
        found = {
            "warm": latencies.warm(result),
            "first_token": latencies.first_token(result),
            "phases": latencies.phases(result),
            "accuracy_bytes": accuracies.by_bytes(result),
            "accuracy_time": accuracies.by_time(result),
            "memory": timelines.growth(result),
            "residency": timelines.residency(result),
            "answers": experts.answers(result),
            "usage": experts.usage(result),
        }
        for cost in ("resident_bytes", "macs"):
            drawn = None if comparison is None else accuracies.compared(comparison, cost)
            found[f"compared_{cost}"] = drawn
    return found


def _place(environment: Mapping[str, object]) -> str:
    """The board and the interpreter, in a few words."""
    machine = next(
        (environment[key] for key in ("board", "cpu", "machine") if key in environment), ""
    )
    interpreter = (environment.get(key, "") for key in ("interpreter", "version"))
    return ", ".join(filter(None, (str(machine), " ".join(map(str, interpreter)).strip())))


def _highlights(result: Benchmark) -> list[tuple[str, str]]:
    """The bundle's figures that people ask for first."""
    ours = result.rows[0]
    found = [(f"{number(result.warm.total_us['p50'])} µs", "median warm answer")]
    if ours.generation is not None:
        found.append((number(ours.generation.tokens_per_second), "tokens a second"))
        first = ours.generation.first_token
        if first is not None:
            found.append((f"{number(first.total_us['p50'])} µs", "median time to the first token"))
    if ours.growth is not None:
        found.append((f"{ours.growth.growth_bytes / 1e6:.1f} MB", "memory above the base"))
    found.append((f"{ours.total_bytes / 1000:,.0f} kB", "all files"))
    if ours.accuracy is not None:
        told = f"accuracy as deployed, {ours.accuracy.examples:,} test examples"
        found.append((f"{ours.accuracy.accuracy:.4f}", told))
    if ours.chrf is not None:
        told = f"chrF as deployed, {ours.chrf.sentences:,} validation sentences"
        found.append((f"{ours.chrf.chrf:.1f}", told))
    return found


def _conditions(result: Benchmark) -> list[list[str]]:
    """What the board told before and under load; empty where it told nothing."""
    moments = (asdict(result.before), asdict(result.under_load))
    rows = [
        [name, *(_told(moment[name]) for moment in moments)]
        for name in moments[0]
        if any(moment[name] is not None for moment in moments)
    ]
    return [["", "before", "under load"], *rows] if rows else []


def _told(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _compared(found: Compared) -> Sequence[Sequence[str]]:
    head = ["contender", "numbers", "accuracy", "95 %", "multiply-adds", "files kB",
            "resident kB", "gap closed"]  # fmt: skip
    rows = []
    for row in found.rows:
        low_high = "" if row.interval is None else f"{row.interval[0]:.4f} to {row.interval[1]:.4f}"
        sizes = (f"{size / 1000:,.0f}" for size in (row.total_bytes, row.resident_bytes))
        closed = "" if row.gap_closed is None else f"{row.gap_closed:.2f}"
        cells = [row.name, row.quantization, f"{row.accuracy:.4f}", low_high, f"{row.macs:,}"]
        rows.append([*cells, *sizes, closed])
    return [head, *rows]
