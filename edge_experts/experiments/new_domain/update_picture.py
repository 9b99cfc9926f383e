"""A picture of the scenario: accuracy on both domains, and bytes shipped, of each update."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from .update_results import Arrival, UpdateRow


def draw(arrivals: Sequence[Arrival], path: Path) -> None:
    """Draw means over seeds, with a mark for each seed.

    A dotted line is the mean of the models that were deployed first.

    Args:
        path: ends with .png or .svg; see `edge_experts.plotting.require`.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    first = arrivals[0]
    panels: tuple[tuple[str, Callable[[UpdateRow], float]], ...] = (
        (f"accuracy on {first.old_name}, %", lambda row: 100 * row.old),
        (f"accuracy on {first.new_name}, %", lambda row: 100 * row.new),
        ("shipped to the board, kB", lambda row: row.shipped_bytes / 1000),
    )
    names = [row.name for row in first.after]
    colors = ["#1b7f5c", *["#777777"] * (len(names) - 1)]
    figure, axes = pyplot.subplots(3, 1, figsize=(6, 6.6), layout="constrained")  # for a phone too
    for axis, (title, value) in zip(axes, panels, strict=True):
        for number, color in enumerate(colors):
            seeds = [value(arrival.after[number]) for arrival in arrivals]
            mean = statistics.mean(seeds)
            axis.plot(seeds, [number] * len(seeds), "|", color=color, markersize=14)
            axis.plot(mean, number, "o", color=color, markersize=7)
            axis.annotate(
                f"{mean:,.1f}" if mean < 100 else f"{mean:,.0f}",
                (mean, number),
                (0, 9),
                textcoords="offset points",
                ha="center",
                color=color,
            )
        axis.set_title(title, fontsize=12, loc="left")
        axis.set_yticks(range(len(names)), [name.replace(", ", ",\n") for name in names])
        axis.invert_yaxis()
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0.2, y=0.5)
    for axis, (_, value) in zip(axes[:2], panels[:2], strict=True):
        deployed = statistics.mean(value(row) for arrival in arrivals for row in arrival.before)
        axis.axvline(deployed, color="k", linewidth=0.8, linestyle=":")
    axes[2].set_xlim(left=0)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
