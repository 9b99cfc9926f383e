"""How much each expert is used, how well it does, which labels it owns, what it mixes up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..insight import Insight
from ..ownership import top
from .canvas import canvas, left_out, short

_EXPERTS, _LABELS = 32, 40
_MATRICES, _MATRIX_LABELS, _NUMBERED = 9, 20, 10


def experts(found: Insight, labels: Sequence[str], path: Path) -> None:
    """Bars of use and accuracy, and a heat map of who answers the inputs of which label."""
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
        use.axvline(100 / count, color="0.4", linestyle=":", label="even")
        use.legend(fontsize=7, frameon=False, loc="best")
        use.set(title="inputs owned, %", yticks=rows)
        use.set_yticklabels([f"expert {expert}" for expert in shown])
        use.invert_yaxis()
        right.barh(rows, 100 * np.nan_to_num(found.expert_accuracy[shown]), color="tab:green")
        right.axvline(100 * found.picked_accuracy, color="0.4", linestyle=":", label="all")
        right.legend(fontsize=7, frameon=False, loc="lower left")
        right.set(title="right on them, %", xlim=(0, 100))
        share = 100 * owned / np.maximum(owned.sum(axis=0), 1)
        image = who.imshow(
            share[np.ix_(shown, columns)], aspect="auto", cmap="viridis", vmin=0, vmax=100
        )
        who.set_title("of a label's inputs, % that the expert owns")
        who.set_xticks(range(len(columns)))
        who.set_xticklabels([short(labels[column]) for column in columns], rotation=90)
        figure.colorbar(image, ax=who)


def confusion(
    matrices: np.ndarray, usage: np.ndarray | None, labels: Sequence[str], path: Path
) -> None:
    """Each expert's answers on the inputs that it owns, by what they should have been.

    Args:
        matrices: (experts, labels, labels) counts: truth, then answer.
        usage: (experts,) shares; None where all the model's answers are one matrix.
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
    side = 2.6 + 0.1 * len(places)
    with canvas(path, side * across + 0.6, side * down + 0.4, note) as figure:
        grid = figure.subplots(down, across, squeeze=False).ravel()
        for axes in grid[len(shown) :]:
            axes.set_axis_off()
        names = [short(labels[place], 12) for place in places]
        for axes, expert in zip(grid, shown, strict=False):
            counts = matrices[expert]
            share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            part = 100 * share[np.ix_(places, places)]
            image = axes.imshow(part, cmap="Blues", vmin=0, vmax=100)
            if len(places) <= _NUMBERED:
                for (row, column), value in np.ndenumerate(part):
                    if counts[places[row]].sum():
                        dark = "white" if value > 60 else "0.2"
                        axes.text(
                            column, row, f"{value:.0f}", ha="center", va="center", color=dark,
                            fontsize=7,
                        )  # fmt: skip
            use = "all inputs" if usage is None else f"expert {expert}, {usage[expert]:.1%} used"
            axes.set(title=use, xlabel="answer, % of the label's inputs", ylabel="label")
            axes.set_xticks(range(len(places)), names, rotation=90, fontsize=7)
            axes.set_yticks(range(len(places)), names, fontsize=7)
        figure.colorbar(image, ax=grid.tolist(), shrink=0.6)
