"""Figure of the choices of `--quantization auto`: loss against size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .variants import Point


def draw(
    path: Path,
    *,
    frontier: Sequence[Point],
    uniform: Sequence[Point],
    chosen: Sequence[Point],
    compressed: bool,
) -> None:
    """Draw two panels against size: the minimized loss, and the primary score."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # needs no display
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2)
    primary = chosen[0].primary
    for axes, key, title in zip(
        panels,
        ("loss", "score"),
        ("mean loss, validation examples", f"{primary}, validation examples"),
        strict=True,
    ):
        _panel(axes, frontier, uniform, chosen, key)
        axes.set_ylabel(title)
        axes.set_xlabel("kB of the archive" if compressed else "kB on disk")
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=120)


def _panel(
    axes: Any,
    frontier: Sequence[Point],
    uniform: Sequence[Point],
    chosen: Sequence[Point],
    key: str,
) -> None:
    def spread(points: Sequence[Point]) -> tuple[list[float], list[float]]:
        return [point.size / 1000 for point in points], [getattr(point, key) for point in points]

    axes.plot(*spread(frontier), "o-", color="tab:blue", label="a recipe for each network")
    axes.plot(*spread(uniform), "s", color="tab:gray", label="one recipe for all")
    axes.plot(*spread(chosen), "*", color="tab:red", markersize=14, label="chosen")
    for point in uniform:
        place = (point.size / 1000, getattr(point, key))
        axes.annotate(
            point.uniform, place, xytext=(4, 4), textcoords="offset points", fontsize=7, color="0.4"
        )
    axes.spines[["top", "right"]].set_visible(False)
