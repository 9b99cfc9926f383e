"""What an example is made of, for whoever sends it in parts: as tensors, say.

Each part by its name: `str`, or the type of its numbers; and its shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Fields = dict[str, tuple[type[str] | type[np.number], tuple[int, ...]]]


def described(fields: Fields) -> list[dict[str, Any]]:
    """Name, type and shape of each field, as a contract for inputs begins."""
    return [
        {
            "name": name,
            "dtype": "text" if kind is str else np.dtype(kind).name,
            "shape": list(shape),
        }
        for name, (kind, shape) in fields.items()
    ]
