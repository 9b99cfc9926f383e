"""Odd tables of sensors are read right, or refused by file, line or column, in bounded memory."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_experts import datasets
from edge_experts.datasets import Columns
from edge_experts.errors import DataError, UsageError

LENGTH = 8
EACH = 40  # rows of each of four persons
WINDOWS = 4 * (1 + (EACH - LENGTH) // (LENGTH // 2))

Lines = list[str]


def _lines() -> Lines:
    """Header, and 40 rows of each of four persons, 20 ms apart."""
    return ["person,t,ax,ay,label"] + [
        f"p{person},{place * 20},{person}.5,{place},walk{person % 2}"
        for person in range(4)
        for place in range(EACH)
    ]


def _cell(line: int, column: int, text: str) -> Callable[[Lines], Lines]:
    """Replace a cell, of the line and column counted from 1 and 0."""

    def changed(lines: Lines) -> Lines:
        cells = lines[line - 1].split(",")
        cells[column] = text
        return [*lines[: line - 1], ",".join(cells), *lines[line:]]

    return changed


def _column(place: int, change: Callable[[str], str]) -> Callable[[Lines], Lines]:
    def changed(lines: Lines) -> Lines:
        rows = [line.split(",") for line in lines[1:]]
        return [lines[0]] + [",".join([*row[:place], change(row[place]), *row[place + 1 :]])
                             for row in rows]  # fmt: skip

    return changed


def _twice(lines: Lines) -> Lines:
    return [*lines[:10], lines[9], *lines[10:]]


def _jump(lines: Lines) -> Lines:
    """A clock that jumps ahead by an hour in the middle of a recording."""
    later = [_ahead(line) for line in lines[21:41]]
    return [*lines[:21], *later, *lines[41:]]


def _ahead(line: str) -> str:
    person, time, rest = line.split(",", 2)
    return f"{person},{int(time) + 3_600_000},{rest}"


# Files that are read, and the number of their windows.
READ: dict[str, tuple[Callable[[Lines], Lines | bytes], int]] = {
    "nothing odd": (lambda lines: lines, WINDOWS),
    "a byte order mark": (lambda lines: b"\xef\xbb\xbf" + _text(lines), WINDOWS),
    "line ends of Windows": (lambda lines: _text(lines).replace(b"\n", b"\r\n"), WINDOWS),
    "quoted cells": (_column(2, lambda cell: f'"{cell}"'), WINDOWS),
    "spaces around numbers": (_column(2, lambda cell: f" {cell} "), WINDOWS),
    "exponents": (_column(3, lambda cell: f"{cell}e-3"), WINDOWS),
    "empty lines": (lambda lines: [*lines[:9], "", *lines[9:], ""], WINDOWS),
    "a missing value": (_cell(9, 2, ""), WINDOWS),
    "NaN": (_cell(9, 2, "NaN"), WINDOWS),
    "a constant channel": (_column(2, lambda _: "7"), WINDOWS),
    "a row written twice": (_twice, WINDOWS),
    "a missing row": (lambda lines: [*lines[:9], *lines[10:]], WINDOWS),
    "a clock that jumps ahead": (_jump, WINDOWS - 1),
    "dates": (_column(1, lambda cell: f"2026-01-01T00:00:{int(cell) / 1000:06.3f}"), WINDOWS),
    "a sharp peak, as of clipping": (_cell(9, 2, "1e30"), WINDOWS),
    "two labels of one person": (_cell(10, 4, "walk1"), WINDOWS - 2),
}
# Files that are refused, and what the message says.
REFUSED: dict[str, tuple[Callable[[Lines], Lines | bytes], str]] = {
    "an empty file": (lambda _: b"", "is empty|no rows"),
    "only a header": (lambda lines: lines[:1], "no rows"),
    "one row": (lambda lines: lines[:2], "one row only"),
    "one recording": (lambda lines: lines[:41], "has 1 recording"),
    "a row of each recording": (lambda lines: [lines[0], *lines[1::40]], "one row only"),
    "rows too few for a window": (
        lambda lines: [line for place, line in enumerate(lines) if place % EACH < LENGTH],
        "Lower --window",
    ),
    "bytes that are no text": (lambda _: bytes(range(128, 256)) * 40, "odd.csv"),
    "a sound": (lambda _: b"RIFF\0\0\0\0WAVEfmt " + bytes(50), "odd.csv"),
    "text in a channel": (_cell(6, 2, "high"), "line 6: column 'ax': 'high' is not a number"),
    "infinity": (_cell(6, 2, "inf"), "line 6: column 'ax'"),
    "a number beyond float32": (_cell(6, 3, "1e39"), "line 6: column 'ay': '1e39' is too large"),
    "a clock that is set back": (_cell(10, 1, "20"), "line 10: the time '20' is before"),
    "a time that is none": (_cell(10, 1, "noon"), "line 10: column 't': 'noon' is neither"),
    "a time that is infinite": (_cell(10, 1, "1e999"), "line 10: column 't'"),
    "equal times": (_column(1, lambda _: "5"), "all times are equal"),
    "a clock without a rate": (_column(1, lambda cell: str(int(cell) ** 4)), "resample the file"),
    "a row with a cell too many": (_cell(10, 0, "p0,1"), "line 10.*6 cells"),
    "a row with a cell too few": (
        lambda lines: [*lines[:9], lines[9].rpartition(",")[0], *lines[10:]], "line 10.*4 cells",
    ),
    "a column named twice": (lambda lines: [lines[0].replace("ay", "ax"), *lines[1:]], "ax"),
    "no label": (lambda lines: [lines[0].replace("label", "kind"), *lines[1:]], "'label'"),
    "one label": (_column(4, lambda _: "walk"), "one class only"),
    "no channel": (
        lambda lines: [",".join(np.array(line.split(","))[[0, 1, 4]]) for line in lines],
        "no column of measurements",
    ),
    "a person without a name": (_cell(4, 0, ""), "line 4.*'person' is empty"),
    "an unclosed quote": (_cell(10, 2, '"0.5'), "line 10|quote|cells"),
}  # fmt: skip


def _text(lines: Lines) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def _load(path: Path) -> datasets.Dataset:
    return datasets.load(str(path), columns=Columns(group="person", time="t"), window=LENGTH)


def _written(path: Path, content: Lines | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else _text(content))
    return path


def test_there_are_thirty_odd_files() -> None:
    assert len(READ) - 1 + len(REFUSED) >= 30


@pytest.mark.parametrize("name", READ)
def test_odd_files_that_are_right(name: str, tmp_path: Path) -> None:
    change, windows = READ[name]
    found = _load(_written(tmp_path / "odd.csv", change(_lines())))
    parts = (found.train, found.validation, found.test)
    assert sum(map(len, parts)) == windows
    inputs = np.concatenate([np.asarray(part.inputs) for part in parts])
    assert inputs.shape == (windows, LENGTH, 2)
    assert np.isnan(inputs).sum() <= 2


@pytest.mark.parametrize("name", REFUSED)
def test_odd_files_that_are_refused_by_name(name: str, tmp_path: Path) -> None:
    change, message = REFUSED[name]
    path = _written(tmp_path / "odd.csv", change(_lines()))
    with pytest.raises((DataError, UsageError), match=message) as told:
        _load(path)
    assert "odd" in str(told.value)


def test_two_gigabytes_are_refused_in_bounded_memory(tmp_path: Path) -> None:
    """The file is sparse: its zeros take no storage."""
    path = _written(tmp_path / "long.csv", _lines())
    os.truncate(path, 2**31)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"long\.csv: 2,147 MB; .*head -n"):
        _load(path)
    for number in range(3):  # a folder of them
        part = _written(tmp_path / f"{number}.csv", _lines())
        os.truncate(part, 2**26)
    path.unlink()
    with pytest.raises(DataError, match="201 MB; at most 134 MB"):
        _load(tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 2**23
    tracemalloc.stop()
