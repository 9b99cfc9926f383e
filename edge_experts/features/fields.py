"""Fields of an example, for clients that send it in parts, such as tensors.

A field has a name; a type, `str` or the type of its numbers; and a shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

ANY = -1  # size of an axis that differs between examples
_SHOWN = 8  # entries of a list in a line of text

Fields = dict[str, tuple[type[str] | type[np.generic], tuple[int, ...]]]


def described(fields: Fields) -> list[dict[str, Any]]:
    """List name, type and shape of each field, the first entries of an input's contract."""
    return [
        {
            "name": name,
            "dtype": "text" if kind is str else np.dtype(kind).name,
            "shape": list(shape),
        }
        for name, (kind, shape) in fields.items()
    ]


def in_words(field: Mapping[str, Any]) -> str:
    """Format a field's contract as a line of text; long lists are shortened."""
    shape = " x ".join("any" if size == ANY else str(size) for size in field["shape"])
    told = [f"{field['dtype']} {shape}".rstrip()]
    for key, value in field.items():
        if key in ("name", "dtype", "shape") or value in (None, "", [], {}):
            continue
        told.append(f"{key} {_plain(key, value)}")
    return f"{field['name']}: {', '.join(told)}"


def _plain(key: str, value: Any) -> str:
    if key == "range" and isinstance(value, list) and len(value) == 2:
        return " to ".join(
            f"{end:g}" if isinstance(end, int | float) else f"{end}" for end in value
        )
    if isinstance(value, list):
        shown = [str(one) for one in value[:_SHOWN]]
        more = len(value) - len(shown)
        return " | ".join([*shown, *([f"{more} more"] if more else [])])
    if isinstance(value, dict):
        return " ".join(f"{name} {_plain(name, one)}" for name, one in value.items())
    return str(value)
