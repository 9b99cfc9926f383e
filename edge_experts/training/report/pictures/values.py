"""Charts of regression: predicted against true values, and the use and error of each expert."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..ownership import top
from ..value_insight import ValueInsight
from .canvas import canvas, left_out, short

_EXPERTS, _COLORS, _OUTPUTS, _POINTS = 32, 10, 6, 3000


def predictions(
    names: Sequence[str],
    predicted: np.ndarray,
    targets: np.ndarray,
    owner: np.ndarray | None,
    path: Path,
) -> None:
    """Draw a scatter plot for each output, in the colors of the experts that own the most inputs.

    Args:
        predicted, targets: (examples, outputs).
        owner: routed expert of each example, or None.
    """
    owner = np.zeros(len(targets), np.int64) if owner is None else owner
    counts = np.bincount(owner)
    shown = top(counts, min(_COLORS, int((counts > 0).sum())))
    points = np.random.default_rng(0).permutation(len(targets))[:_POINTS]
    outputs = min(_OUTPUTS, len(names))
    note = left_out(
        [
            (outputs, len(names), "outputs", "the first"),
            (len(points), len(targets), "examples", "a sample"),
            (len(shown), int((counts > 0).sum()), "experts", "the most used"),
        ]
    )
    across = min(3, outputs)
    down = -(-outputs // across)
    with canvas(path, 4.2 * across + 1, 4 * down, note) as figure:
        grid = figure.subplots(down, across, squeeze=False).ravel()
        for place, axes in enumerate(grid):
            if place >= outputs:
                axes.set_axis_off()
                continue
            for color, expert in enumerate(shown):
                mine = points[owner[points] == expert]
                axes.scatter(
                    targets[mine, place],
                    predicted[mine, place],
                    s=6,
                    alpha=0.5,
                    color=f"C{color}",
                    label=f"expert {expert}",
                )
            both = np.concatenate([targets[points, place], predicted[points, place]])
            ends = [both.min(), both.max()]
            axes.plot(ends, ends, color="0.4", linestyle=":")
            axes.set(title=short(names[place]), xlabel="true value", ylabel="predicted value")
        if len(shown) > 1:
            figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right upper")


def experts(found: ValueInsight, path: Path) -> None:
    """Draw bars of the inputs that each expert owns, and of its error on them."""
    count = len(found.usage)
    shown = top(found.usage, _EXPERTS)
    note = left_out([(len(shown), count, "experts", "the most used")])
    rows = np.arange(len(shown))
    with canvas(path, 8, 1.8 + 0.28 * len(shown), note) as figure:
        use, error = figure.subplots(1, 2, sharey=True)
        use.barh(rows, 100 * found.usage[shown], color="tab:blue")
        use.axvline(100 / count, color="0.4", linestyle=":")
        use.set(title="inputs owned, %\n(dotted: even use)", yticks=rows)
        use.set_yticklabels([f"expert {expert}" for expert in shown])
        use.invert_yaxis()
        error.barh(rows, np.nan_to_num(found.expert_rmse[shown]), color="tab:green")
        error.set(title="root mean squared error on them")
