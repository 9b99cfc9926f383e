"""Figures of a score as deployed against its cost, for contenders with both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from ...benchmark import Benchmark
from ...row import REFERENCE
from ...score import primary, within_bounds
from ..compared import Compared
from . import svg

_BYTES = "bytes of files in memory for an answer"
_ALIKE = 3  # ratio of costs up to which the axis is linear


class QualityPoint(NamedTuple):
    """One contender; the 95 % interval of its quality, or None if unknown."""

    name: str
    cost: float
    quality: float
    interval: tuple[float, float] | None


def by_bytes(result: Benchmark) -> Markup | None:
    """Draw against the bytes of the files that must be in memory for an answer."""
    return _of(result, [row.resident_bytes for row in result.rows], "accuracy-bytes", _BYTES)


def by_time(result: Benchmark) -> Markup | None:
    """Draw against this run's median warm answer."""
    times = [row.warm.total_us["p50"] for row in result.rows]
    return _of(result, times, "accuracy-time", "µs of the median warm answer")


def compared(found: Compared, cost: str) -> Markup | None:
    """Draw a comparison's rows against `resident_bytes` or `macs`."""
    points = [
        QualityPoint(
            row.name,
            getattr(row, cost),
            row.scores[found.score],
            within_bounds(found.score, row.interval),
        )
        for row in found.rows
    ]
    titles = {
        "resident_bytes": _BYTES,
        "macs": "multiply-adds an answer",
    }
    return _drawn(points, f"compared-{cost.replace('_', '-')}", titles[cost], found.score)


def _of(result: Benchmark, costs: Sequence[float], name: str, title: str) -> Markup | None:
    score = primary(result.rows[0].scores)
    if score is None:
        return None
    points = [
        QualityPoint(row.name, cost, row.scores[score].value, row.scores[score].interval)
        for row, cost in zip(result.rows, costs, strict=True)
        # The reference loop is the same bundle.
        if row.name != REFERENCE and score in row.scores
    ]
    return _drawn(points, name, title, score)


def _drawn(points: Sequence[QualityPoint], name: str, title: str, score: str) -> Markup | None:
    points = [point for point in points if point.cost > 0]
    if not points:
        return None
    figure, axes = svg.new_figure(2.5 + 0.22 * len(points))
    drawn = []
    for place, point in enumerate(points):
        colour = svg.COLOURS[place % len(svg.COLOURS)]
        if point.interval is not None:
            axes.plot([point.cost] * 2, point.interval, color=colour, alpha=0.6, linewidth=1)
        (mark,) = axes.plot(
            [point.cost],
            [point.quality],
            color=colour,
            marker=svg.MARKERS[place % len(svg.MARKERS)],
            linestyle="",
            gid=f"point-{place}",
        )
        drawn.append(mark)
    _scale(axes, [point.cost for point in points])
    axes.set_xlabel(title)
    axes.set_ylabel(f"{svg.shown(score)} as deployed")
    svg.legend_below(figure, drawn, [svg.shown(point.name) for point in points])
    return svg.as_svg(figure, name, f"{score} as deployed against {title}")


def _scale(axes: Any, costs: Sequence[float]) -> None:
    """Scale the axis: logarithmic if costs differ by factors, else from 0."""
    from matplotlib.ticker import EngFormatter

    if max(costs) > _ALIKE * min(costs):
        svg.logarithmic(axes, costs)
    else:
        axes.set_xlim(0, max(costs) * 1.2)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
