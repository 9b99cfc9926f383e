"""Picture of the primary score against the cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ... import plotting
from .contenders import DENSE_ACTIVE, DENSE_ALL, DENSE_BUCKETS
from .results import Comparison, ComparisonRow

_PANELS = (("resident_bytes", "bytes in memory for an answer"), ("macs", "multiply-adds an answer"))
_HEIGHT, _WIDTH, _LINE = 5.0, 13.0, 13.0  # inches, inches, points


def draw(result: Comparison, path: Path) -> None:
    """Draw two panels with a point for each row; bars are 95 % intervals over seeds."""
    plotting.require(path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # needs no display
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout=None)
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2, sharey=True)
    figure.subplots_adjust(left=0.06, right=0.9, wspace=0.38, top=0.88, bottom=0.12)
    for axes, (cost, title) in zip(panels, _PANELS, strict=True):
        _panel(axes, result, cost)
        axes.set_xlabel(title)
        axes.tick_params(labelleft=True)
    panels[0].set_ylabel(f"{result.task.title} as deployed")
    several = f"{len(result.seeds)} seeds, 95 % intervals" if len(result.seeds) > 1 else "one seed"
    figure.suptitle(f"{result.data}: {result.examples:,} examples, {several}")
    for axes in panels:
        _name_points(figure, axes)
    figure.savefig(path, dpi=150)


def _panel(axes: Any, result: Comparison, cost: str) -> None:
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    costs = [getattr(row.costs, cost) for row in result.rows]
    axes.set_xscale("log")
    axes.set_xlim(min(costs) / 1.2, max(costs) * 1.2)
    # Ticks at 1, 2, 5, 10: costs often span less than one power of ten.
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    for row in result.rows:
        interval = row.interval
        error = None if interval is None else interval[1] - row.score
        axes.errorbar(
            getattr(row.costs, cost),
            row.score,
            yerr=error,
            fmt=_marker(row),
            color=_colour(row),
            capsize=3,
            label=row.name,
        )
    axes.margins(y=0.08)


def _marker(row: ComparisonRow) -> str:
    return "s" if row.name.startswith("dense") else "o"


def _colour(row: ComparisonRow) -> str:
    if row.name in (DENSE_ACTIVE, DENSE_ALL, DENSE_BUCKETS):
        return "black"
    if row.name.startswith("dense"):
        return "gray"
    return "tab:blue" if row.name.startswith("sparse") else "tab:orange"


def _name_points(figure: Any, axes: Any) -> None:
    """Write the points' names in a column beside the panel, in order of height, with lines to them.

    Names beside the points would overlap: many rows have the same cost.
    """
    figure.canvas.draw()
    bottom, top = axes.get_window_extent().y0, axes.get_window_extent().y1
    step = _LINE * figure.dpi / 72
    points = [
        (axes.transData.transform((line.get_xdata()[0], line.get_ydata()[0])), name, line)
        for container, name in zip(*axes.get_legend_handles_labels(), strict=True)
        for line in [container.lines[0]]
    ]
    points.sort(key=lambda point: point[0][1])
    places = _apart([point[0][1] for point in points], step, bottom, top)
    for (place, name, line), height in zip(points, places, strict=True):
        x, y = axes.transAxes.inverted().transform(place)
        axes.annotate(
            name,
            (x, y),
            (1.03, axes.transAxes.inverted().transform((0, height))[1]),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            color=line.get_color(),
            fontsize=9,
            arrowprops={"arrowstyle": "-", "color": line.get_color(), "alpha": 0.35, "lw": 0.8},
        )


def _apart(heights: list[float], step: float, bottom: float, top: float) -> list[float]:
    """Move heights, in ascending order, until they are a step apart within the panel."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + step) if placed else max(height, bottom))
    ceiling = top
    for index in reversed(range(len(placed))):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - step
    return placed
