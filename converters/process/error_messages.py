"""Error messages of failed conversions, with their reasons and alternatives for the user."""

from __future__ import annotations

import re
from collections.abc import Set
from pathlib import Path

from edge_experts.format.manifest import DENSE, ROUTER, ROUTERS

from ..tflite.foreign_operators import foreign_operators

_MOST = 300  # characters of a reason

_ILLEGAL = re.compile(r"error: ('tf\.\w+' op[^\n]*|failed[^\n]*|[^\n]*)")

_ALTERNATIVES = {
    "float32": "another network",
    "float16": "--quantization float32",
    "dynamic": "--quantization float16 or float32",
    "int8": "--quantization dynamic, float16 or float32",
    "int16x8": "--quantization int8, dynamic or float32",
    "int4": "--quantization int8",
}


def name_of(path: str) -> str:
    """Return the name of a file's network in messages."""
    if path == ROUTER:
        return "router"
    if Path(path).parent.name == DENSE:
        return Path(path).stem.replace("_", " ")
    folder = Path(path).parent
    if folder.parent.name:  # of one of several layers
        return f"expert {int(Path(path).stem)} of layer {int(folder.name)}"
    kind = "router" if Path(path).parent.name == ROUTERS else "expert"
    return f"{kind} {int(Path(path).stem)}"


def reason_of(error: Exception) -> str:
    """Find the line with the cause in a converter's error of hundreds of lines.

    Names of layers are in a note of the error, see tflite/operator_layers.py.
    """
    text = str(error)
    foreign = foreign_operators(text)
    if foreign:
        layers = "".join(f", in its {note}," for note in getattr(error, "__notes__", ()))
        return (
            f"it needs TensorFlow's own operators ({', '.join(foreign)}){layers or ','} which a "
            "TFLite interpreter does not have; use another layer or activation in their place"
        )
    illegal = _ILLEGAL.search(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = illegal[1] if illegal else lines[-1] if lines else ""
    kind = type(error).__name__
    return f"{kind}: {line}"[:_MOST] if line else kind


def alternative(recipe: str, reason: str, layers: Set[str]) -> str:
    """Suggest an alternative to a recipe that failed for a network with these kinds of layers."""
    other = f"try {_ALTERNATIVES[recipe]}"
    if "TensorFlow's own operators" in reason:
        return "no --quantization helps here"
    loops = sorted(kind.removesuffix(" loop") for kind in layers if kind.endswith(" loop"))
    if loops and recipe in ("int8", "int16x8"):
        return f"{' and '.join(loops)} converts in integers with unroll=True; or {other}"
    if recipe == "int16x8" and layers & {"MultiHeadAttention", "LayerNormalization"}:
        return f"attention and layer normalization have no 16-bit operators there; {other}"
    return other
