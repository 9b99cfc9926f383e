"""Parser for rows of a .csv or .tsv as people and spreadsheets write them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from ..errors import DataError
from .encodings import open_text

SUFFIXES = (".csv", ".tsv")
# Columns with a meaning, in any case: Label, TEXT. Their cells are texts.
NAMED = ("text", "translation", "label", "split")
TARGET = re.compile(r"target(:.*)?", re.IGNORECASE)  # likewise; cells are numbers
_SEPARATORS = (",", ";", "\t", "|")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
_LONGEST_LINE = 2**27  # largest line in characters; a cell may hold a whole document
_NO_HEADER = "the file is empty, or its first line is; it must name the columns, as text,label"
_HINT = re.compile(r'"?sep=(?P<separator>.)"?', re.IGNORECASE)  # first line by Excel
_SWALLOWED, _ROWS_AMONG = 3, 0.9  # lines within quotes, and the share that are whole rows


def read(
    path: Path,
    numbers: Sequence[str] = (),
    *,
    decimal_points: bool = False,
    broken: Callable[[int, DataError], None] | None = None,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and columns of every row of a .csv or .tsv, with its shape checked.

    The separator of a .csv is the most frequent one of its header, of comma, semicolon, tab and
    bar, or that of a first line such as `sep=;`. A quote is a delimiter where it begins and ends a
    cell, and otherwise a character. Names of columns are stripped. Empty rows are
    skipped, and so are columns that have neither a name nor a value.

    Args:
        numbers: columns in `NAMED` whose cells are numbers, not text.
        broken: called with the line and the error of a row that does not fit the header; reading
            then continues. By default the error is raised.
        decimal_points: give 3,14 of a file with semicolons as 3.14, as versions before 0.2 did.

    Raises:
        DataError: the file is empty, in no supported encoding, or a row does not fit the header.
    """
    with open_text(path, newline="") as file:
        lines = _Lines(path, file)
        separator, columns = _header(path, lines)
        converts = decimal_points and separator == ";"
        for line, cells in _records(path, lines, separator, len(columns)):
            if not any(cell.strip() for cell in cells):
                continue
            try:
                if len(cells) != len(columns):
                    cells = _fitting(path, line, cells, len(columns), separator)
                if "" in columns:
                    _refuse_nameless(path, line, columns, cells)
            except DataError as error:
                if broken is None:
                    raise
                broken(line, error)
                continue
            row = {name: cell for name, cell in zip(columns, cells, strict=True) if name}
            yield line, _with_points(row, numbers) if converts else row


def has_semicolons(path: Path) -> bool:
    """True for a file with semicolons, whose numbers are likely to have decimal commas.

    Raises:
        DataError: as for `read`.
    """
    with open_text(path, newline="") as file:
        return _header(path, _Lines(path, file))[0] == ";"


class _Lines:
    """Lines of a file with their numbers, of bounded length, without their ends."""

    def __init__(self, path: Path, file: TextIO):
        self._path, self._file = path, file
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        while (line := self.next()) is not None:
            yield line

    def next(self) -> str | None:
        """Return the next line; None at the end."""
        line = self._file.readline(_LONGEST_LINE)
        if not line:
            return None
        self.number += 1
        if len(line) == _LONGEST_LINE or "\0" in line:
            raise DataError(
                f"{self._path}: line {self.number} has zero bytes, or is longer than "
                f"{_LONGEST_LINE:,} characters: this is not a file of text"
            )
        return line.rstrip("\r\n")


def _header(path: Path, lines: _Lines) -> tuple[str, list[str]]:
    """Separator of the cells, and names of the columns."""
    first = lines.next()
    if first is None:
        raise DataError(f"{path}: {_NO_HEADER}")
    hint = _HINT.fullmatch(first.strip())
    if hint is not None and hint["separator"] not in "=\"'":
        separator, first = hint["separator"], lines.next() or ""
    elif path.suffix.lower() == ".tsv":
        separator = "\t"
    else:
        counts = {one: len(_cells(first, one)[0]) for one in _SEPARATORS}
        separator = max(_SEPARATORS, key=lambda one: counts[one])
    _, header = next(_records(path, lines, separator, 0, first))
    return separator, _columns(path, header)


def _records(
    path: Path, lines: _Lines, separator: str, columns: int, first: str | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Yield the last line and the cells of each row; a cell in quotes may have several lines.

    Args:
        columns: number of columns of the header.
        first: a line that was read already.

    Raises:
        DataError: a quote is never closed, or encloses rows.
    """
    for line in lines if first is None else itertools.chain([first], lines):
        cells, begun = _cells(line, separator)
        if begun is None:
            yield lines.number, cells
        elif separator == "\t":
            yield lines.number, line.split(separator)
        else:
            cells = _over_lines(path, lines, separator, columns, cells, begun)
            yield lines.number, cells


def _over_lines(
    path: Path, lines: _Lines, separator: str, columns: int, cells: list[str], begun: str
) -> list[str]:
    """Cells of a row of several lines.

    Args:
        cells, begun: result of `_cells` for the first line.
    """
    number, parts, rows = lines.number, [begun], 0
    for line in lines:
        closed = _closing(line, 0, separator)
        if closed is None:
            parts.append(line)
            rows += len(line.split(separator)) == columns
            continue
        if closed < 0:
            raise DataError(
                f"{path}: line {lines.number}: a quote within a cell that a quote in line {number} "
                'opens; write it twice: ""'
            )
        if columns > 1 and rows >= max(_SWALLOWED, _ROWS_AMONG * (len(parts) - 1)):
            raise DataError(
                f"{path}: line {number}: a quote opens a cell that swallows {rows} lines "
                'that look like rows; write a quote within a cell twice: "", or save it as .tsv'
            )
        cells.append("\n".join([*parts, line[:closed]]).replace('""', '"'))
        rest = line[closed + 1 :].lstrip(" ")
        if not rest:
            return cells
        more, after = _cells(rest[1:], separator)
        cells += more
        if after is None:
            return cells
        parts, rows = [after], 0
    raise DataError(
        f"{path}: after line {number - 1}: unexpected end of the file: a quote in line {number} "
        'opens a cell and none closes it; write a quote within a cell twice: ""'
    )


def _cells(line: str, separator: str) -> tuple[list[str], str | None]:
    """Cells of a line, and the beginning of one whose quotes are not closed."""
    if '"' not in line:
        return line.split(separator), None
    cells: list[str] = []
    place, end = 0, len(line)
    while True:
        start = place
        while start < end and line[start] == " ":
            start += 1
        if start < end and line[start] == '"':
            closed = _closing(line, start + 1, separator)
            if closed is None:
                return cells, line[start + 1 :]
            if closed > 0:
                cells.append(line[start + 1 : closed].replace('""', '"'))
                place = closed + 1
                while place < end and line[place] == " ":
                    place += 1
                if place >= end:
                    return cells, None
                place += 1
                continue
        stop = line.find(separator, place)
        if stop < 0:
            cells.append(line[place:])
            return cells, None
        cells.append(line[place:stop])
        place = stop + 1


def _closing(line: str, place: int, separator: str) -> int | None:
    """Index of the quote that ends a cell; -1 if the next one does not, None without a quote."""
    while (place := line.find('"', place)) >= 0:
        if line.startswith('""', place):
            place += 2
            continue
        after = line[place + 1 :].lstrip(" ")
        return place if not after or after[0] == separator else -1
    return None


def _columns(path: Path, header: list[str]) -> list[str]:
    """Names of the header, known ones in lower case; "" for a last one without a name."""
    names = [_plain_name(name.strip()) for name in header]
    if not any(names):
        raise DataError(f"{path}: {_NO_HEADER}")
    last = max(place for place, name in enumerate(names) if name)
    if "" in names[:last]:
        raise DataError(
            f"{path}: column {names.index('') + 1} of its header has no name; name it, or leave "
            "the column out"
        )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: two columns of its header have the same name: {twice[0]!r}")
    return names


def _plain_name(name: str) -> str:
    if TARGET.fullmatch(name):
        return f"target{name[6:]}"
    return name.lower() if name.lower() in NAMED else name


def _fitting(path: Path, line: int, cells: list[str], columns: int, separator: str) -> list[str]:
    """Remove empty cells at the end that the header does not have.

    Raises:
        DataError: there are too few or too many cells.
    """
    if len(cells) > columns and not any(cell.strip() for cell in cells[columns:]):
        return cells[:columns]
    raise DataError(
        f"{path}: line {line}: {len(cells)} cells, and the header has {columns}; put quotes around "
        f"a cell that holds the separator {separator!r}"
    )


def _refuse_nameless(path: Path, line: int, columns: list[str], cells: list[str]) -> None:
    for place, (name, cell) in enumerate(zip(columns, cells, strict=True), 1):
        if not name and cell.strip():
            raise DataError(
                f"{path}: column {place} of its header has no name, and line {line} has "
                f"{cell.strip()!r:.40} there; name the column"
            )


def _with_points(row: dict[str, str], numbers: Sequence[str]) -> dict[str, str]:
    """The row with decimal points instead of decimal commas."""
    return {
        name: cell.replace(",", ".")
        if (name not in NAMED or name in numbers) and _DECIMAL_COMMA.fullmatch(cell)
        else cell
        for name, cell in row.items()
    }
