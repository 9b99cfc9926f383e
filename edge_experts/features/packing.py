"""Examples as an array of bytes, which an .npz stores without Python objects: JSON in ASCII."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np


def packed(examples: Sequence[Any]) -> np.ndarray:
    """Pack texts, or lists and objects of JSON values, as one uint8 array."""
    return np.frombuffer(json.dumps(list(examples)).encode("ascii"), np.uint8)


def unpacked(array: np.ndarray) -> list[Any]:
    """Return the examples that were packed by `packed`.

    Raises:
        ValueError: the array does not contain a list of them.
    """
    examples = json.loads(array.tobytes())
    if not isinstance(examples, list):
        raise ValueError("must be a list of examples")
    return examples
