"""What all pictures share: a canvas without a screen, names that fit, and what is left out."""

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
    # A label may be "$5": what people named is never a formula.
    "text.parse_math": False,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@contextmanager
def canvas(path: Path, width: float, height: float, note: str = "") -> Iterator[Figure]:
    """A figure of so many inches, written to `path` when the block ends.

    Args:
        note: a line below the picture, for what it leaves out.
    """
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # Scripts that the font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        if note:
            figure.supxlabel(note, fontsize=8, color="0.4")
        figure.savefig(path, dpi=_DPI, format="png")


def short(name: str, length: int = 16) -> str:
    """A name of about so many characters, on one line, of what can be printed.

    Long names often begin alike, so that it is the middle that is left out.
    """
    name = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    half = length // 2
    return name if len(name) <= length else f"{name[:half]}…{name[-half:]}"


def left_out(parts: Sequence[tuple[int, int, str, str]]) -> str:
    """A line for the picture that says what it does not show.

    Args:
        parts: how many are shown, of how many, of what, and which those are.
    """
    return "; ".join(
        f"{shown} of {count} {what}: {which}"
        for shown, count, what, which in parts
        if shown < count
    )
