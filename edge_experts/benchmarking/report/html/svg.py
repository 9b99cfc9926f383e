"""Figures as SVG that stands in a page beside others."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from ....format.strict_json import harmless

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_WIDTH = 4.6  # inches: as wide as a phone, so that letters are nowhere small
_LETTERS = 40
FONT = 11  # points, of all letters: on a phone, 390 pixels wide, they are 12 pixels high
_SETTINGS: Any = {
    "text.parse_math": False,  # a label may have dollars
    "path.simplify": False,  # every point that was measured is drawn
    "svg.hashsalt": "edge-experts",  # the same figure is the same text
    "svg.fonttype": "none",  # letters stay letters: small, to be found and read aloud
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # that letters are measured by; a browser has its own
    "font.size": FONT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
}
# Colours that most colour-blind people tell apart (Okabe & Ito, 2008), and lines that print does.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
STYLES = ("-", "--", "-.", ":")
MARKERS = "osD^vP*X"


@contextmanager
def drawing() -> Iterator[None]:
    """How all figures look; they are made and written within it."""
    from matplotlib import rc_context

    with rc_context(_SETTINGS), warnings.catch_warnings():
        # A font without a label's letters only guesses their width: the browser has others.
        warnings.filterwarnings("ignore", "Glyph")
        yield


def new_figure(height: float, rows: int = 1, **options: Any) -> tuple[Any, Any]:
    """A figure, `height` inches high, and its axes."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.subplots(rows, 1, **options)


def as_svg(figure: Any, name: str, meaning: str) -> Markup:
    """The figure as an element of HTML.

    Args:
        name: unique in the page; every id in the element begins with it.
        meaning: for who cannot see it.
    """
    content = io.BytesIO()
    figure.savefig(content, format="svg", metadata={"Date": None})
    return Markup(_standing_alone(content.getvalue(), name, meaning))


def shown(text: str, most: int = _LETTERS) -> str:
    """A name or label as it is drawn: harmless, and not too long."""
    clean = harmless(text)
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def logarithmic(axes: Any, values: Sequence[float]) -> None:
    """An axis of factors, with the coarsest ticks that show two at least: one tells nothing."""
    from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter

    axes.set_xscale("log")
    low, high = axes.set_xlim(min(values) / 1.3, max(values) * 1.3)
    for ticks in (LogLocator(subs=(1.0,)), LogLocator(subs=(1.0, 2.0, 5.0)), MaxNLocator(4)):
        axes.xaxis.set_major_locator(ticks)
        if sum(low <= place <= high for place in axes.get_xticks()) >= 2:
            break
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_formatter(NullFormatter())


def legend_below(figure: Any, handles: Sequence[Any], names: Sequence[str]) -> None:
    """Who is who, below everything; in two columns where names are short."""
    columns = 2 if max(map(len, names)) < _LETTERS * 2 // 5 else 1
    figure.legend(handles, names, loc="outside lower left", ncols=columns, fontsize=FONT)


def _standing_alone(content: bytes, name: str, meaning: str) -> str:
    """Without what only a file needs, and with ids that no other figure has."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(content)
    for element in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(element)
    for size in ("width", "height"):
        root.attrib.pop(size)
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == "id":
                element.set(key, f"{name}-{value}")
            elif key == f"{{{_XLINK}}}href":
                element.set(key, value.replace("#", f"#{name}-"))
            elif "url(#" in value:
                element.set(key, re.sub(r"url\(#", f"url(#{name}-", value))
    root.attrib |= {"id": name, "role": "img", "aria-label": meaning}
    return ElementTree.tostring(root, encoding="unicode")
