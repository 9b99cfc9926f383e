"""Examples that a user gives on the command line, in a file, or line by line on stdin."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ...errors import UsageError
from ...format.limits import LIMITS

if TYPE_CHECKING:
    from ...features import Features


def given(
    texts: Sequence[str] | None,
    path: Path | None,
    features: Features,
    parse: Callable[[str], Any] | None = None,
) -> Iterator[tuple[str, Any]]:
    """What to call each example, and the example itself, as they come.

    Args:
        parse: makes an example of a line; by default the features do.

    Raises:
        UsageError: one of them cannot be read.
    """
    parse = parse or features.parse
    if path is not None:
        return _in_file(path, features, parse)
    lines = texts or _stdin()
    return ((line, parse(line)) for line in lines)


def lines(texts: Sequence[str] | None, path: Path | None) -> Iterator[str]:
    """Lines of text from the command line, a file, or stdin, as they come.

    Raises:
        UsageError: there is no such file.
    """
    if path is None:
        yield from texts or _stdin()
        return
    if not path.is_file():
        raise UsageError(f"--input {path}: no such file")
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from _read(file)


def _in_file(
    path: Path, features: Features, parse: Callable[[str], Any]
) -> Iterator[tuple[str, Any]]:
    """Every example of a file: rows of a .csv, arrays of an .npy, or else lines."""
    if not path.is_file():
        raise UsageError(f"--input {path}: no such file")
    if path.suffix.lower() == ".npy":
        from ...datasets import npz

        arrays = npz.read_one(path)
        for number, array in enumerate(arrays):
            yield f"{path.name}[{number}]", array
    elif path.suffix.lower() in (".csv", ".tsv") and features.kind == "table":
        from ...datasets import rows

        for line, row in rows.read(path):
            yield f"{path.name}:{line}", row
    else:
        for text in lines(None, path):
            yield text, parse(text)


def _stdin() -> Iterator[str]:
    # Bytes that are not UTF-8 become replacement characters: a stream must not stop for one.
    yield from _read(io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace"))


def _read(stream: TextIO) -> Iterator[str]:
    """The lines of a stream, each as it comes.

    Raises:
        UsageError: one does not end in reasonable time and memory.
    """
    most = LIMITS.line_characters
    while line := stream.readline(most + 1):
        line = line.rstrip("\r\n")
        if len(line) > most:
            raise UsageError(f"a line must have at most {most:,} characters; break it")
        yield line
