"""C99 literals of Python values, valid in C++ as well."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

_BYTES_A_LINE = 16


def text(value: str) -> str:
    """Write a string literal of the value's UTF-8.

    Octal escapes end after three digits, hexadecimal ones continue; `?` is escaped because two of
    them begin a trigraph.
    """
    plain = set(range(0x20, 0x7F)) - set(b'"\\?')
    encoded = value.encode("utf-8", "surrogatepass")
    return '"' + "".join(chr(one) if one in plain else f"\\{one:03o}" for one in encoded) + '"'


def comment(value: str) -> str:
    """Write the value for a comment: on one line, in ASCII, and without an end of comment."""
    shown = value.encode("unicode_escape").decode("ascii").replace("\\", "/")
    return shown.replace("*", "+").replace("?", ".")


def single(value: float) -> str:
    """Write a float literal that is read as the same float32."""
    return _pointed(f"{np.float32(value):.9g}") + "f"


def double(value: float) -> str:
    """Write a double literal that is read as the same number."""
    return _pointed(repr(float(value)))


def listing(items: Iterable[str], indent: str = "    ") -> str:
    """Write one item a line, for an initializer, which must not be empty in C."""
    return "\n".join(f"{indent}{item}," for item in items) or f"{indent}0,"


def content(values: bytes) -> str:
    """Write the bytes of a file, for an initializer."""
    rows = range(0, len(values), _BYTES_A_LINE)
    return "\n".join(
        "    " + "".join(f"0x{one:02x}," for one in values[row : row + _BYTES_A_LINE])
        for row in rows
    )


def _pointed(number: str) -> str:
    return number if set(number) & set(".e") else f"{number}.0"
