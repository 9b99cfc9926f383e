"""Errors of custom networks, in words that name the option or the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import EdgeExpertsError, UsageError

_CAUSE = re.compile(r"^\s*(\w+(?:Error|Exception): .+)$", re.MULTILINE)
_IN_LAYER = "Exception encountered when calling"
_UNREAD = re.compile(r"Error when deserializing class '(\w+)' using config=\{'name': '([^']*)'")
_BOLD = re.compile(r"\x1b\[[\d;]*m")  # in errors of Keras 3, for terminals
_REASON = "Exception encountered: "
_MOST = 300  # characters


@contextmanager
def named(network: object, what: str) -> Iterator[None]:
    """Convert errors in the block, of custom layers or of TensorFlow.

    Args:
        network: its option or file.
        what: what it fails to do, after "it cannot".

    Raises:
        UsageError: with the cause in one line.
    """
    try:
        yield
    except EdgeExpertsError as error:
        raise UsageError(f"{network}: it cannot {what}: {error}") from error
    except Exception as error:  # custom layers and TensorFlow raise errors of any class
        raise UsageError(f"{network}: it cannot {what}: {cause(error)}") from error


def cause(error: Exception) -> str:
    """Class and message of an error in one line."""
    return in_one_line(f"{type(error).__name__}: {str(error).strip()}")


def in_one_line(text: str) -> str:
    """Shorten an error, of its class and message, to the line that has the cause."""
    text = _BOLD.sub("", text)
    unread = _unread_layer(text)
    if unread:
        return unread
    first, _, below = text.partition("\n")
    causes = list(_CAUSE.finditer(below))  # in traced code, below the lines of that code
    if causes:
        first, below = str(causes[-1][1]), below[causes[-1].end() :]
    # The first line of an error in a layer names the layer, and the next one has the cause.
    lines = [line.strip() for line in below.splitlines() if line.strip()]
    return " ".join([first.strip(), *lines[: int(_IN_LAYER in first)]])[:_MOST]


def _unread_layer(text: str) -> str | None:
    """Name, class and reason of the layer that a file's reader cannot build; None without one.

    Args:
        text: an error of Keras when it builds the layers of a file.
    """
    layers = list(_UNREAD.finditer(text))
    if not layers:
        return None
    kind, name = layers[-1].groups()
    reason = " ".join(text.rpartition(_REASON)[2].split())
    return f"its layer {name!r} ({kind}): {reason}"[:_MOST]
