"""Rows of a .csv or .tsv as people and spreadsheets write them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from ..errors import DataError

SUFFIXES = (".csv", ".tsv")
# Columns that mean something, in any case: Label, TEXT. Their cells are texts.
NAMED = ("text", "translation", "label", "split")
TARGET = re.compile(r"target(:.*)?", re.IGNORECASE)  # likewise, of numbers
_SEPARATORS = (",", ";", "\t")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
_LONGEST_LINE = 2**27  # characters; a cell may hold a whole document


def read(path: Path, numbers: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and columns of every row of a .csv or .tsv, its shape checked.

    A .csv is separated by what separates most in its header: a comma, a semicolon or a tab. Where
    that is a semicolon, 3,14 is a number, as spreadsheets of many countries write it. Names of
    columns lose the spaces around them; rows of nothing but empty cells are passed over.

    Raises:
        DataError: the file is empty, not UTF-8, or a row does not fit the header.
    """
    csv.field_size_limit(_LONGEST_LINE)
    line = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator = "\t" if path.suffix.lower() == ".tsv" else _separator(path, file)
            reader = csv.reader(_lines(path, file), delimiter=separator, strict=True)
            columns = _columns(path, next(reader, []))
            for cells in reader:
                line = reader.line_num
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(columns):
                    raise DataError(
                        f"{path}: line {line}: {len(cells)} cells, and the header has "
                        f"{len(columns)}; put quotes around a cell that holds the separator "
                        f"{separator!r}"
                    )
                row = dict(zip(columns, cells, strict=True))
                yield line, _with_points(row, numbers) if separator == ";" else row
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 after line {line} ({error.reason}); save it as UTF-8, or: "
            f"iconv -f {_encoding(path)} -t utf-8 {path} > utf8{path.suffix}"
        ) from None
    except csv.Error as error:
        raise DataError(f"{path}: after line {line}: {error}") from None


def _separator(path: Path, file: IO[str]) -> str:
    header = next(_lines(path, file), "")
    file.seek(0)
    return max(_SEPARATORS, key=lambda one: len(next(csv.reader([header], delimiter=one), [])))


def _lines(path: Path, file: IO[str]) -> Iterator[str]:
    """The file's lines. One without an end must not fill the memory before anything is said."""
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE or "\0" in line:
            raise DataError(
                f"{path}: line {number} has zero bytes, or is longer than {_LONGEST_LINE:,} "
                "characters: this is not a file of text"
            )
        yield line


def _columns(path: Path, header: list[str]) -> list[str]:
    """The header's names, those that mean something in small letters."""
    if not header:
        raise DataError(f"{path}: the file is empty, or its first line is")
    names = [name.strip() for name in header]
    names = [_plain_name(name) for name in names]
    if "" in names:
        raise DataError(
            f"{path}: column {names.index('') + 1} of its header has no name; name it, or leave "
            "the column out"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: two columns of its header have the same name: {twice[0]!r}")
    return names


def _plain_name(name: str) -> str:
    if TARGET.fullmatch(name):
        return f"target{name[6:]}"
    return name.lower() if name.lower() in NAMED else name


def _with_points(row: dict[str, str], numbers: Sequence[str]) -> dict[str, str]:
    """The row with decimal points in place of decimal commas."""
    return {
        name: cell.replace(",", ".")
        if (name not in NAMED or name in numbers) and _DECIMAL_COMMA.fullmatch(cell)
        else cell
        for name, cell in row.items()
    }


def _encoding(path: Path) -> str:
    """A guess for iconv: what Excel calls Unicode text starts with a mark of its own."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "latin1"
