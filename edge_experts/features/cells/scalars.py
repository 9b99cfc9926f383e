"""Single values from cells, JSON, Python and numpy."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np

from ...errors import UsageError

_PLAIN = {str, bool, int, float, type(None)}
Scalar = str | bool | int | float | None


def scalar(name: str, value: Any) -> Scalar:
    """Convert a value of Python, numpy or JSON to one that columns read.

    Raises:
        UsageError: a list, an object or another type.
    """
    if type(value) in _PLAIN:
        return value  # type: ignore[no-any-return]
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if isinstance(value, Decimal):
        return float(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise UsageError(
        f"column {name!r} must hold a number, a text, true, false or null, got "
        f"{type(value).__name__} {shown(value)}"
    )


def as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def shown(value: Any) -> str:
    """Format a value for a message."""
    try:
        return f"{value!r:.40}"
    except (ValueError, TypeError):  # an integer of thousands of digits
        return f"a {type(value).__name__}"


def warn(warnings: list[str] | None, sentence: str) -> None:
    if warnings is not None:
        warnings.append(sentence)
