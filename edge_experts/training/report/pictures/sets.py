"""Charts of multi-label models: F1 of each label, and the use and F1 of each expert."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..ownership import top
from .canvas import canvas, left_out, short

_EXPERTS, _LABELS = 32, 40


def labels(names: Sequence[str], counts: np.ndarray, f1: np.ndarray, path: Path) -> None:
    """Draw bars of the validation examples and of the F1 of the most frequent labels.

    Args:
        counts, f1: of each label, (labels,).
    """
    shown = np.argsort(-counts, kind="stable")[:_LABELS]
    note = left_out([(len(shown), len(names), "labels", "the most frequent")])
    rows = np.arange(len(shown))
    with canvas(path, 8, 1.8 + 0.22 * len(shown), note) as figure:
        examples, right = figure.subplots(1, 2, sharey=True)
        examples.barh(rows, counts[shown], color="tab:blue")
        examples.set(title="validation examples", yticks=rows)
        examples.set_yticklabels([short(names[place], 28) for place in shown])
        examples.invert_yaxis()
        right.barh(rows, f1[shown], color="tab:green")
        right.set(title="F1", xlim=(0, 1))


def experts(usage: np.ndarray, f1: np.ndarray, path: Path) -> None:
    """Draw bars of the inputs that each expert owns, and of its micro-F1 on them.

    Args:
        usage, f1: of each expert, (experts,); NaN for one that owns none.
    """
    count = len(usage)
    shown = top(usage, _EXPERTS)
    note = left_out([(len(shown), count, "experts", "the most used")])
    rows = np.arange(len(shown))
    with canvas(path, 8, 1.8 + 0.28 * len(shown), note) as figure:
        use, right = figure.subplots(1, 2, sharey=True)
        use.barh(rows, 100 * usage[shown], color="tab:blue")
        use.axvline(100 / count, color="0.4", linestyle=":")
        use.set(title="inputs owned, %\n(dotted: even use)", yticks=rows)
        use.set_yticklabels([f"expert {expert}" for expert in shown])
        use.invert_yaxis()
        right.barh(rows, np.nan_to_num(f1[shown]), color="tab:green")
        right.set(title="micro-F1 on them", xlim=(0, 1))
