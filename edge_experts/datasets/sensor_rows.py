"""Rows of sensors: cells to numbers, and windows of files and streams as they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import DataError, UsageError
from ..features.cells.dates import moment
from ..features.cells.numerals import NumberFormat
from ..features.sensor_stream import SensorStream, WindowCutter
from . import rows
from .input_record import Input

_NOTHING = ("", "nan", "na", "null", "none", "-")  # cells of a sensor that measured nothing
_PLAIN = NumberFormat()


def values_of(row: Mapping[str, str], channels: Sequence[str]) -> np.ndarray:
    """Read the channels of a row: (channels,) float32, with NaN where nothing was measured.

    Raises:
        UsageError: a cell is no number; names the column.
    """
    found = np.empty(len(channels), np.float32)
    for place, name in enumerate(channels):
        text = row[name].strip()
        number = np.nan if text.lower() in _NOTHING else _PLAIN.number(text)
        if number is None:
            raise UsageError(f"column {name!r}: {text!r:.40} is not a number")
        with np.errstate(over="ignore"):
            found[place] = number
        if np.isinf(found[place]):
            raise UsageError(f"column {name!r}: {text!r:.40} is too large")
    return found


def moment_of(text: str, column: str) -> float:
    """Read a time: a number in any unit, or a date in seconds.

    Raises:
        UsageError: the cell is neither; names the column.
    """
    number = _PLAIN.number(text.strip())
    found = moment(text, month_first=False) if number is None else number
    if found is None or not np.isfinite(found):
        raise UsageError(f"column {column!r}: {text.strip()!r:.40} is neither a date nor a number")
    return found


class LiveWindows:
    """Windows of rows as they come, each an input of a bundle; a broken row ends its window.

    Args:
        length: rows of a window.
        name: of the source, for errors.
    """

    def __init__(self, stream: SensorStream, length: int, name: str):
        self._stream, self._name = stream, name
        self._cutter: WindowCutter[str] = WindowCutter(stream, length)
        self._recording: str | None = None

    def push(self, line: int, row: Mapping[str, str]) -> Iterator[Input]:
        """Yield the windows that a row completes; named by the row's time, or its line."""
        make = partial(Input, f"line {line}", f"{self._name}: line {line}", line)
        recording = row.get(self._stream.recording or "")
        if recording != self._recording:
            self._recording = recording
            self._cutter.restart()
        try:
            values = values_of(row, self._stream.channels)
            when, told = None, f"line {line}"
            if self._stream.time is not None and self._stream.time in row:
                told = row[self._stream.time].strip()
                when = moment_of(told, self._stream.time)
            for window in self._cutter.push(values, told, when):
                yield Input(window.tags[-1], f"{self._name}: line {line}", line, window.rows)
        except UsageError as error:
            self._cutter.restart()
            yield make(problem=error)
        except ValueError as error:
            self._cutter.restart()
            yield make(problem=UsageError(f"{error}; a new window begins"))


def windows_of_file(path: Path, stream: SensorStream, length: int) -> Iterator[Input]:
    """Yield the windows of a .csv or .tsv.

    Raises:
        DataError: the header lacks a channel.
    """
    live, broken = LiveWindows(stream, length, str(path)), list[Input]()

    def note(line: int, error: DataError) -> None:
        broken.append(Input(f"line {line}", f"{path}: line {line}", line, problem=error))

    for line, row in rows.read(path, decimal_points=True, broken=note):
        yield from broken
        broken.clear()
        missing = [name for name in stream.channels if name not in row]
        if missing:
            raise DataError(
                f"{path}: no column {', '.join(map(repr, missing)):.300} in its header, which the "
                f"bundle reads; found: {', '.join(row):.300}"
            )
        yield from live.push(line, row)
    yield from broken


def windows_of_lines(
    lines: Iterator[tuple[int, str | UsageError]], name: str, stream: SensorStream, length: int
) -> Iterator[Input]:
    """Yield the windows of comma-separated lines as they come.

    The first line may name the columns. Without names a row has the channels in the order of
    training, after the time if there is one.

    Raises:
        UsageError: the first line fits neither.
    """
    live = LiveWindows(stream, length, name)
    header: list[str] | None = None
    for number, line in lines:
        make = partial(Input, f"line {number}", f"{name}: line {number}", number)
        if isinstance(line, UsageError):
            yield make(problem=line)
            continue
        if not line.strip():
            continue
        cells = [cell.strip().strip('"') for cell in line.split("\t" if "\t" in line else ",")]
        if header is None:
            header, is_header = _header(cells, stream, name)
            if is_header:
                continue
        if len(cells) != len(header):
            yield make(problem=UsageError(f"has {len(cells)} cells instead of {len(header)}"))
            continue
        yield from live.push(number, dict(zip(header, cells, strict=True)))


def _header(cells: list[str], stream: SensorStream, name: str) -> tuple[list[str], bool]:
    """Names of the cells, and whether the line has them."""
    if set(stream.channels) <= set(cells):
        return cells, True
    bare = list(stream.channels)
    timed = bare if stream.time is None else [stream.time, *bare]
    for names in (timed, bare):
        if len(cells) == len(names):
            return names, False
    raise UsageError(
        f"{name}: its first line has {len(cells)} cells; rows need the columns "
        f"{', '.join(timed):.300}, by a first line of names or in this order"
    )
