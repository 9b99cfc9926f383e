"""Accuracy, or chrF, as deployed against what it costs: of contenders whose both were measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from ...benchmark import Benchmark
from ...row import REFERENCE, Row
from . import svg
from .reading import Compared

_NORMAL_95 = 1.96
_BYTES = "bytes of files in memory for an answer"
_TITLES = {"accuracy": "Accuracy", "chrF": "chrF"}
_ALIKE = 3  # times


class Point(NamedTuple):
    """One contender; the interval is its quality's, 95 %, None where none is known."""

    name: str
    cost: float
    quality: float
    interval: tuple[float, float] | None


def by_bytes(result: Benchmark) -> Markup | None:
    """Against the bytes of the files that must be in memory for an answer."""
    return _of(result, [row.resident_bytes for row in result.rows], "accuracy-bytes", _BYTES)


def by_time(result: Benchmark) -> Markup | None:
    """Against this run's median warm answer."""
    times = [row.warm.total_us["p50"] for row in result.rows]
    return _of(result, times, "accuracy-time", "µs of the median warm answer")


def compared(found: Compared, cost: str) -> Markup | None:
    """A comparison's rows against `resident_bytes` or `macs`."""
    points = [Point(row.name, getattr(row, cost), row.accuracy, row.interval) for row in found.rows]
    titles = {
        "resident_bytes": _BYTES,
        "macs": "multiply-adds an answer",
    }
    return _drawn(points, f"compared-{cost.replace('_', '-')}", titles[cost])


def _of(result: Benchmark, costs: Sequence[float], name: str, title: str) -> Markup | None:
    rows = [  # the reference loop is the bundle once more
        (row, cost) for row, cost in zip(result.rows, costs, strict=True) if row.name != REFERENCE
    ]
    written = [Point(row.name, cost, row.chrf.chrf, None) for row, cost in rows if row.chrf]
    if written:
        return _drawn(written, name, title, "chrF")
    return _drawn(_points(rows), name, title)


def _points(rows: Sequence[tuple[Row, float]]) -> list[Point]:
    found = []
    for row, cost in rows:
        if row.accuracy is None:
            continue
        share, examples = row.accuracy.accuracy, row.accuracy.examples
        half = _NORMAL_95 * math.sqrt(share * (1 - share) / examples)
        found.append(Point(row.name, cost, share, (share - half, share + half)))
    return found


def _drawn(
    points: Sequence[Point], name: str, title: str, quality: str = "accuracy"
) -> Markup | None:
    points = [point for point in points if point.cost > 0]
    if not points:
        return None
    figure, axes = svg.new_figure(2.4 + 0.16 * len(points))
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
    axes.set_ylabel(f"{quality} as deployed")
    svg.legend_below(figure, drawn, [svg.shown(point.name) for point in points])
    return svg.as_svg(figure, name, f"{_TITLES[quality]} as deployed against {title}")


def _scale(axes: Any, costs: Sequence[float]) -> None:
    """Logarithmic where costs differ by factors; from 0 where they are alike."""
    from matplotlib.ticker import EngFormatter

    if max(costs) > _ALIKE * min(costs):
        svg.logarithmic(axes, costs)
    else:
        axes.set_xlim(0, max(costs) * 1.2)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
