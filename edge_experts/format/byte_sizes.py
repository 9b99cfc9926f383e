"""Sizes in bytes, as numbers or texts such as "8MB"."""

from __future__ import annotations

import operator
import re
from typing import SupportsIndex

from ..errors import UsageError

Size = SupportsIndex | str  # a number of bytes, or a text such as "8MB"
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_EXAMPLES = "a size such as 400KB, 8MB or 1.5MiB"


def bytes_of(size: Size, name: str) -> int:
    """Convert a size to a number of bytes: 400000, "400KB", "8MB", "1.5MiB".

    Args:
        name: the argument's name in errors.

    Raises:
        UsageError: it is neither a whole number nor such a text.
    """
    if isinstance(size, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", size)
        if match and match[2].upper() in _UNITS:
            return int(float(match[1]) * _UNITS[match[2].upper()])
        raise UsageError(f"{name} must be {_EXAMPLES}, got {size!r:.40}")
    try:
        return operator.index(size)
    except TypeError:
        raise UsageError(
            f"{name} must be a whole number of bytes, or {_EXAMPLES}, got {size!r:.40}"
        ) from None
