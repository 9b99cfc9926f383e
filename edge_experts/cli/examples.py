"""Examples that a user gives on the command line, in a file, or line by line on stdin."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from ..features import Features


def given(
    texts: Sequence[str] | None, path: Path | None, features: Features
) -> Iterator[tuple[str, Any]]:
    """What to call each example, and the example itself, as they come.

    Raises:
        UsageError: one of them cannot be read.
    """
    if path is not None:
        return _in_file(path, features)
    lines = texts or _stdin()
    return ((line, features.parse(line)) for line in lines)


def _in_file(path: Path, features: Features) -> Iterator[tuple[str, Any]]:
    """Every example of a file: rows of a .csv, arrays of an .npy, or else lines."""
    if not path.is_file():
        raise UsageError(f"--input {path}: no such file")
    if path.suffix.lower() == ".npy":
        from ..datasets import npz

        arrays = npz.read_one(path)
        for number, array in enumerate(arrays):
            yield f"{path.name}[{number}]", array
    elif path.suffix.lower() in (".csv", ".tsv") and features.kind == "table":
        from ..datasets import rows

        for line, row in rows.read(path):
            yield f"{path.name}:{line}", row
    else:
        with path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                yield text.rstrip("\r\n"), features.parse(text.rstrip("\r\n"))


def _stdin() -> Iterator[str]:
    # Bytes that are not UTF-8 become replacement characters: a stream must not stop for one.
    for line in io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace"):
        yield line.rstrip("\r\n")
