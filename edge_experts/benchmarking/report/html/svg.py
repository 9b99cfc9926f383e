"""Figures as SVG elements of a page."""

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
_WIDTH = 4.6  # inches: as wide as a phone, so that letters are never small
_LETTERS = 40
FONT = 11  # points, of all letters: on a phone, 390 pixels wide, they are 12 pixels high
_SETTINGS: Any = {
    "text.parse_math": False,  # a label may have dollars
    "path.simplify": False,  # every measured point is drawn
    "svg.hashsalt": "edge-experts",  # the same figure gives the same text
    "svg.fonttype": "none",  # letters stay text: small, searchable and accessible
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # font for measuring text; a browser has its own
    "font.size": FONT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
}
# Colours that most colour-blind people can distinguish (Okabe & Ito, 2008).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
STYLES = ("-", "--", "-.", ":")
MARKERS = "osD^vP*X"


@contextmanager
def drawing() -> Iterator[None]:
    """Set the style of all figures, which are drawn and written in this context."""
    from matplotlib import rc_context

    with rc_context(_SETTINGS), warnings.catch_warnings():
        # A font without a label's letters only estimates their width: the browser has others.
        warnings.filterwarnings("ignore", "Glyph")
        yield


def new_figure(height: float, rows: int = 1, **options: Any) -> tuple[Any, Any]:
    """Create a figure, `height` inches high, and its axes."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.subplots(rows, 1, **options)


def as_svg(figure: Any, name: str, meaning: str) -> Markup:
    """Convert the figure to an HTML element.

    Args:
        name: unique in the page; every id in the element begins with it.
        meaning: description for users who cannot see the figure.
    """
    content = io.BytesIO()
    figure.savefig(content, format="svg", metadata={"Date": None})
    return Markup(_standing_alone(content.getvalue(), name, meaning))


def shown(text: str, most: int = _LETTERS) -> str:
    """Make a name or label safe to draw, and limit its length."""
    clean = harmless(text)
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def logarithmic(axes: Any, values: Sequence[float]) -> None:
    """Set a logarithmic axis, with the coarsest ticks of which at least two are visible."""
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
    """Draw the legend below the figure, in two columns if names are short."""
    columns = 2 if max(map(len, names)) < _LETTERS * 2 // 5 else 1
    figure.legend(handles, names, loc="outside lower left", ncols=columns, fontsize=FONT)


def _standing_alone(content: bytes, name: str, meaning: str) -> str:
    """Remove parts that only a standalone file needs, and make ids unique in the page."""
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
