"""HTML page of a benchmark: results as figures and tables, the environment, and the command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ....text_table import number
from ...benchmark import Benchmark
from ...row import Row
from ...score import primary, within_bounds
from ..benchmark_verdict import baseline, headline, verdict
from ..compared import Compared
from ..text_report import (
    contender_table,
    energy_told,
    media_told,
    memory_told,
    notes,
    phase_table,
    writing_table,
)
from . import templates


def require(path: Path, option: str = "--report") -> None:
    """Check, before anything is measured, that the page can be written; see `templates.require`."""
    templates.require(path, option, matplotlib="matplotlib")


def as_html(result: Benchmark, comparison: Compared | None = None) -> str:
    """Format one page without external resources or scripts; all texts are escaped."""
    return templates.render(
        __package__,
        "page.html",
        result=result,
        figures=_figures(result, comparison),
        place=_place(result.environment),
        environment=_readable(result.environment),
        date=result.environment.get("date"),
        headline=headline(result),
        verdict=verdict(result),
        highlights=_highlights(result),
        phases=phase_table(result),
        contenders=contender_table(result),
        writing=writing_table(result),
        notes=notes(result),
        memory=[*memory_told(result), *media_told(result)],
        conditions=_conditions(result),
        energy=None if result.energy is None else energy_told(result.energy),
        score=primary(result.rows[0].scores),
        comparison=comparison,
        compared=None if comparison is None else _compared(comparison),
    )


def _figures(result: Benchmark, comparison: Compared | None) -> dict[str, Any]:
    from . import expert_figures, latencies, quality, svg, timelines

    with svg.drawing():
        found = {
            "warm": latencies.warm(result),
            "first_token": latencies.first_token(result),
            "phases": latencies.phases(result),
            "quality_bytes": quality.by_bytes(result),
            "quality_time": quality.by_time(result),
            "memory": timelines.growth(result),
            "residency": timelines.residency(result),
            "answers": expert_figures.answers(result),
            "usage": expert_figures.usage(result),
        }
        for cost in ("resident_bytes", "macs"):
            drawn = None if comparison is None else quality.compared(comparison, cost)
            found[f"compared_{cost}"] = drawn
    return found


def _place(environment: Mapping[str, object]) -> str:
    """Describe the board and the interpreter in a few words."""
    machine = next(
        (environment[key] for key in ("board", "cpu", "machine") if key in environment), ""
    )
    interpreter = (environment.get(key, "") for key in ("interpreter", "version"))
    return ", ".join(filter(None, (str(machine), " ".join(map(str, interpreter)).strip())))


_NAMES = {  # of the environment and the conditions, where words alone would not do
    "edge_experts": "edge-experts",
    "version": "interpreter's version",
    "python": "Python",
    "machine": "architecture",
    "cpu": "processor",
    "memory_bytes": "memory",
    "load_average": "programs running when it began",
    "temperature_c": "temperature, °C",
    "frequency_mhz": "clock of the slowest core, MHz",
    "max_frequency_mhz": "its largest clock, MHz",
    "power_w": "power, W",
    "throttle_flags": "throttling flags of the firmware",
    "throttle_events": "throttling events",
    "governor": "clock governor",
}


def _named(key: str) -> str:
    return _NAMES.get(key, key.replace("_", " "))


def _readable(environment: Mapping[str, object]) -> dict[str, str]:
    """Format the machine's description; sizes in GB."""
    found = {}
    for key, value in environment.items():
        sized = key.endswith("_bytes") and isinstance(value, int | float)
        found[_named(key)] = f"{float(str(value)) / 1e9:,.1f} GB" if sized else str(value)
    return found


def _highlights(result: Benchmark) -> list[tuple[str, str]]:
    """List the main figures of the bundle, and beside each that of the first baseline."""
    ours, other = result.rows[0], baseline(result)

    def beside(told: str, figure: str | None) -> str:
        return told if other is None or figure is None else f"{told}; {other.name}: {figure}"

    def growth(row: Row | None) -> str | None:
        if row is None or row.growth is None:
            return None
        return f"{row.growth.growth_bytes / 1e6:.1f} MB"

    their = None if other is None else f"{number(other.warm.total_us['p50'])} µs"
    found = [
        (f"{number(result.warm.total_us['p50'])} µs", beside("median warm answer", their)),
    ]
    written = result.throughputs.get(ours.name)
    if written:
        found.append((number(written.tokens_per_second), "tokens a second"))
        first = written.first_token
        if first is not None:
            found.append((f"{number(first.total_us['p50'])} µs", "median time to the first token"))
    if (memory := growth(ours)) is not None:
        found.append((memory, beside("memory above the base", growth(other))))
    size = None if other is None else f"{other.total_bytes / 1000:,.0f} kB"
    found.append((f"{ours.total_bytes / 1000:,.0f} kB", beside("all files", size)))
    for name, score in ours.scores.items():
        told = f"{name} as deployed, {score.examples:,} {score.of}"
        theirs = None if other is None or name not in other.scores else other.scores[name].text
        found.append((score.text, beside(told, theirs)))
    return found


def _conditions(result: Benchmark) -> list[list[str]]:
    """Tabulate the board's conditions before and under load; empty if it reports none."""
    moments = (asdict(result.before), asdict(result.under_load))
    rows = [
        [_named(name), *(_told(moment[name]) for moment in moments)]
        for name in moments[0]
        if any(moment[name] is not None for moment in moments)
    ]
    return [["", "before", "under load"], *rows] if rows else []


def _told(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _compared(found: Compared) -> Sequence[Sequence[str]]:
    others = [name for name in found.rows[0].scores if name != found.score]
    head = ["contender", "numbers", found.score, "95 %", *others, "multiply-adds", "files kB",
            "resident kB", "gap closed"]  # fmt: skip
    rows = []
    for row in found.rows:
        interval = within_bounds(found.score, row.interval)
        low_high = "" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"
        sizes = (f"{size / 1000:,.0f}" for size in (row.total_bytes, row.resident_bytes))
        closed = "" if row.gap_closed is None else f"{row.gap_closed:.2f}"
        told = [f"{row.scores[name]:,.4f}" if name in row.scores else "" for name in others]
        cells = [row.name, row.quantization, f"{row.scores[found.score]:.4f}", low_high, *told]
        rows.append([*cells, f"{row.macs:,}", *sizes, closed])
    return [head, *rows]
