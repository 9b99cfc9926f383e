"""Common parts of all charts: a canvas without a screen, short names, and notes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

_DPI = 100
_STYLE: Any = {
    # A label may be "$5": names of users are never formulas.
    "text.parse_math": False,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@contextmanager
def canvas(path: Path, width: float, height: float, note: str = "") -> Iterator[Figure]:
    """Yield a figure of this size in inches, which is written to `path` at the end of the block.

    Args:
        note: line below the chart, about what it leaves out.
    """
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # Characters that the font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        if note:
            figure.supxlabel(note, fontsize=8, color="0.4")
        figure.savefig(path, dpi=_DPI, format="png")


def short(name: str, length: int = 16) -> str:
    """Shorten a name to about this length, on one line of printable characters.

    Long names often have a common beginning, so the middle is left out.
    """
    name = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    half = length // 2
    return name if len(name) <= length else f"{name[:half]}…{name[-half:]}"


def left_out(parts: Sequence[tuple[int, int, str, str]]) -> str:
    """Note for a chart about what it leaves out.

    Args:
        parts: number shown, total number, name of the parts, and selection.
    """
    return "; ".join(
        f"{shown} of {count} {what}: {which}"
        for shown, count, what, which in parts
        if shown < count
    )
