"""Texts, alone or in lists, as an array of bytes, which an .npz keeps without Python objects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np


def texts(values: Sequence[Any]) -> np.ndarray:
    """Texts, or lists of them, as one array; `unpacked` gives them back."""
    return np.frombuffer(json.dumps(list(values)).encode("ascii"), np.uint8)


def unpacked(packed: np.ndarray) -> list[Any]:
    """Raises ValueError where it is no list."""
    values = json.loads(packed.tobytes())
    if not isinstance(values, list):
        raise ValueError("must be a list of texts")
    return values
