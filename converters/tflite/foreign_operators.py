"""Operators that only TensorFlow has, in the text of its converter's error."""

from __future__ import annotations

import re

# The converter's lists of them.
_FOREIGN = re.compile(r"^\s*(?:TF Select|Flex|Custom) ops:\s*(.+)$", re.MULTILINE)


def foreign_operators(text: str) -> list[str]:
    """Return operators that only TensorFlow has, from a converter's error."""
    foreign = _FOREIGN.search(text)
    return [each.strip() for each in foreign[1].split(",")] if foreign else []
