"""Charts of the experts: use, accuracy, labels that they own, and confusion of labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from ..insight import Insight
from ..ownership import top
from .canvas import canvas, left_out, short

_EXPERTS, _LABELS = 32, 40
_MATRICES, _MATRIX_LABELS, _NUMBERED = 9, 20, 10


def experts(found: Insight, labels: Sequence[str], path: Path) -> None:
    """Draw bars of use and accuracy, and a heat map of the owners of the inputs of each label."""
    count = len(found.usage)
    shown = top(found.usage, _EXPERTS)
    owned = found.confusion.sum(axis=2)
    columns = top(owned.sum(axis=0), _LABELS)
    note = left_out(
        [
            (len(shown), count, "experts", "the most used"),
            (len(columns), len(labels), "labels", "the most frequent"),
        ]
    )
    rows = np.arange(len(shown))
    height = 1.8 + 0.28 * len(shown)
    width = 6 + 0.3 * max(8, len(columns))
    with canvas(path, width, height, note) as figure:
        use, right, who = figure.subplots(1, 3, sharey=True, width_ratios=[2, 2, width - 5])
        use.barh(rows, 100 * found.usage[shown], color="tab:blue")
        use.axvline(100 / count, color="0.4", linestyle=":")
        use.set(title="inputs owned, %\n(dotted: even use)", yticks=rows)
        use.set_yticklabels([f"expert {expert}" for expert in shown])
        use.invert_yaxis()
        right.barh(rows, 100 * np.nan_to_num(found.expert_accuracy[shown]), color="tab:green")
        right.axvline(100 * found.picked_accuracy, color="0.4", linestyle=":")
        right.set(title="right on them, %\n(dotted: all)", xlim=(0, 100))
        share = 100 * owned / np.maximum(owned.sum(axis=0), 1)
        part = share[np.ix_(shown, columns)]
        image = who.imshow(part, aspect="auto", cmap="viridis", vmin=0)
        who.set_title("% of a label's inputs that the expert owns")
        who.set_xticks(range(len(columns)))
        who.set_xticklabels([short(labels[column]) for column in columns], rotation=90)
        figure.colorbar(image, ax=who)


def confusion(
    matrices: np.ndarray, usage: np.ndarray | None, labels: Sequence[str], path: Path
) -> None:
    """Draw each expert's confusion matrix on the inputs that it owns.

    Args:
        matrices: (experts, labels, labels) counts: truth, then answer.
        usage: (experts,) shares; None if there is one matrix of the whole model.
    """
    shown = top(matrices.sum(axis=(1, 2)), _MATRICES)
    total = matrices.sum(axis=0)
    wrong = total.sum(axis=0) + total.sum(axis=1) - 2 * total.diagonal()
    places = top(wrong, _MATRIX_LABELS)
    note = left_out(
        [
            (len(shown), len(matrices), "experts", "the most used"),
            (len(places), len(labels), "labels", "the most mixed up"),
        ]
    )
    across = min(3, len(shown))
    down = -(-len(shown) // across)
    side = 2 + 0.1 * len(places)
    names = [short(labels[place], 12) for place in places]
    with canvas(path, side * across + 1, side * down + 1, note) as figure:
        grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        for axes, expert in zip(grid.ravel(), shown, strict=False):
            use = "" if usage is None else f"expert {expert}, {usage[expert]:.1%} used"
            _matrix(axes, matrices[expert], places)
            axes.set(title=use)
            axes.set_xticks(range(len(places)), names, rotation=90, fontsize=7)
            axes.set_yticks(range(len(places)), names, fontsize=7)
        for place, axes in enumerate(grid.ravel()):
            if place >= len(shown):
                axes.set_axis_off()
            elif place + across >= len(shown):  # no axes below it
                axes.tick_params(labelbottom=True)
        figure.suptitle("answers (columns) by true label (rows), % of the row")


def _matrix(axes: Axes, counts: np.ndarray, places: np.ndarray) -> None:
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    part = share[np.ix_(places, places)]
    axes.imshow(part, cmap="Blues", vmin=0, vmax=100)
    if len(places) > _NUMBERED:
        return
    for row, column in np.argwhere(part >= 1):
        color = "white" if part[row, column] > 60 else "0.2"
        text = f"{part[row, column]:.0f}"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=7)
