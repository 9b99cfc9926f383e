"""Text of bytes in UTF-8."""

from __future__ import annotations


def decoded(content: bytes) -> str:
    """Decode UTF-8 with surrogates; other faults become replacement characters."""
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return content.decode("utf-8", "replace")
