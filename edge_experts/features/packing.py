"""Examples as an array of bytes, which an .npz keeps without Python objects: JSON in ASCII."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np


def packed(examples: Sequence[Any]) -> np.ndarray:
    """Texts, or lists and objects of JSON values, as one uint8 array."""
    return np.frombuffer(json.dumps(list(examples)).encode("ascii"), np.uint8)


def unpacked(array: np.ndarray) -> list[Any]:
    """The examples that `packed` was given.

    Raises:
        ValueError: the array holds no list of them.
    """
    examples = json.loads(array.tobytes())
    if not isinstance(examples, list):
        raise ValueError("must be a list of examples")
    return examples
