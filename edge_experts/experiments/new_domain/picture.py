"""A picture of the scenario: accuracy on both domains, and bytes shipped, of each update."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from .results import Arrival, Row


def draw(arrivals: Sequence[Arrival], path: Path) -> None:
    """Draw means over seeds, with a mark for each seed.

    Args:
        path: ends with .png or .svg; see `edge_experts.plotting.require`.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    first = arrivals[0]
    panels: tuple[tuple[str, Callable[[Row], float]], ...] = (
        (f"{first.old_name}\naccuracy, %", lambda row: 100 * row.old),
        (f"{first.new_name}\naccuracy, %", lambda row: 100 * row.new),
        ("shipped to the board\nkB", lambda row: row.shipped_bytes / 1000),
    )
    names = [row.name for row in first.after]
    before = first.before[0].name
    figure, axes = pyplot.subplots(1, 3, figsize=(10, 2.4), sharey=True, layout="constrained")
    for place, (axis, (title, value)) in enumerate(zip(axes, panels, strict=True)):
        rows = [[arrival.after[number] for arrival in arrivals] for number in range(len(names))]
        means = [statistics.mean(map(value, seeds)) for seeds in rows]
        bars = axis.barh(names, means, color=["#1b7f5c", "#9a9a9a", "#9a9a9a"], height=0.6)
        digits = 1 if place < 2 else 0
        axis.bar_label(bars, labels=[f" {mean:,.{digits}f}" for mean in means])
        for number, seeds in enumerate(rows):
            axis.plot([value(row) for row in seeds], [number] * len(seeds), "k|", markersize=8)
        axis.set_title(title, fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
        if place < 2:
            start = statistics.mean(value(_named(arrival.before, before)) for arrival in arrivals)
            axis.axvline(start, color="k", linewidth=0.8, linestyle=":")
            low = min(start, *(value(row) for seeds in rows for row in seeds))
            axis.set_xlim(left=max(0.0, 5 * (low // 5) - 5))
        axis.margins(x=0.2)
    axes[0].invert_yaxis()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _named(rows: Sequence[Row], name: str) -> Row:
    return next(row for row in rows if row.name == name)
