"""Recordings of sensors: rows of files by recording, their times, and pieces of a long one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError, UsageError
from ..features.sensor_stream import GAP
from . import row_checks, rows
from .columns import Columns
from .file_walk import files_below
from .recordings import may_name_owners
from .row_file import cells_of, wishes_of
from .sensor_rows import moment_of, values_of

LEAST_RECORDINGS = 3  # for training, validation and test
_PIECES = 20  # of a file without recordings, at most
_WINDOWS_EACH = 2  # of a piece, at least
_IRREGULAR, _MOST_IRREGULAR = 0.01, 0.5  # shares of intervals: told, refused
_STEADY = 0.25  # of the median interval


@dataclass(frozen=True)
class Recording:
    """Rows of one recording, in the order of the files.

    Attributes:
        name: recordings of one name, such as a person's in several files, are in one split; without
            a column of groups the file's path in its folder.
        values: (rows, channels) float32.
        moments: (rows,) float64; None without a column of times.
        cells: texts of the target columns; () where a row has no target.
        owners: cells of other columns that may name a person or machine, by column.
    """

    name: str
    values: np.ndarray
    moments: np.ndarray | None
    cells: Sequence[tuple[str, ...]]
    lines: Sequence[int]
    wishes: Sequence[str]
    owners: Mapping[str, Sequence[str]]


def files_of(source: Path) -> list[Path]:
    """List the tables: one file, or all of a folder.

    Raises:
        UsageError: the file is no table; DataError: there is none.
    """
    if not source.is_dir():
        if source.suffix.lower() not in rows.SUFFIXES:
            raise UsageError(
                f"--window is for {' and '.join(rows.SUFFIXES)} files or a folder of them, and "
                f"{source} is none"
            )
        if not source.is_file():
            raise DataError(f"{source}: no such file")
        row_checks.refuse_large_recordings(source, [source])
        return [source]
    found = [path for path in files_below(source) if path.suffix.lower() in rows.SUFFIXES]
    if not found:
        raise DataError(f"{source}: has no file in {', '.join(rows.SUFFIXES)}")
    row_checks.refuse_large_recordings(source, found)
    return sorted(found)


def recordings_of(
    source: Path,
    files: Sequence[Path],
    header: Sequence[str],
    columns: Columns,
    chosen: Sequence[str],
    channels: Sequence[str],
) -> list[Recording]:
    """Read all rows, by recording.

    Args:
        source: the folder of the files, or the only one.
    """
    found: list[Recording] = []
    roles = {*chosen, "split", columns.group, columns.time}
    naming = [name for name in header if name not in roles and may_name_owners(name)]
    for path in files:
        table = list(rows.read(path, decimal_points=True))
        lacking = [name for name in (*channels, *chosen) if not table or name not in table[0][1]]
        if lacking:
            raise DataError(
                f"{path}: has no column {lacking[0]!r}, or no rows; found: {', '.join(header)}"
            )
        place = path.relative_to(source).as_posix() if source.is_dir() else path.stem
        groups = cells_of(path, columns.group, table) or [place] * len(table)
        wishes = wishes_of(path, table) if "split" in table[0][1] else None
        numbers: dict[str, list[int]] = {}
        for number, group in enumerate(groups):
            numbers.setdefault(group, []).append(number)
        for group, own in numbers.items():
            members = [table[number] for number in own]
            found.append(
                Recording(
                    name=group,
                    values=np.stack([_values(path, line, row, channels) for line, row in members]),
                    moments=_moments(path, columns.time, members),
                    cells=[tuple(row[name] for name in chosen) for _, row in members],
                    lines=[line for line, _ in members],
                    wishes=[] if wishes is None else [str(wishes[number]) for number in own],
                    owners={
                        name: [row.get(name, "").strip() for _, row in members] for name in naming
                    },
                )
            )
    return found


def _values(path: Path, line: int, row: dict[str, str], channels: Sequence[str]) -> np.ndarray:
    try:
        return values_of(row, channels)
    except UsageError as error:
        column = str(error).split(":")[0].removeprefix("column ")
        raise DataError(
            f"{path}: line {line}: {error}; leave the column out: --drop {column}"
        ) from None


def _moments(
    path: Path, column: str | None, members: Sequence[tuple[int, dict[str, str]]]
) -> np.ndarray | None:
    """Times of a recording's rows, which must not go back."""
    if column is None:
        return None
    found = []
    for line, row in members:
        try:
            found.append(moment_of(row[column], column))
        except UsageError as error:
            raise DataError(f"{path}: line {line}: {error}") from None
        if len(found) > 1 and found[-1] < found[-2]:
            raise DataError(
                f"{path}: line {line}: the time {row[column].strip()!r} is before that of the row "
                "before; sort the file by time, or name the column of recordings: --group-column"
            )
    return np.array(found)


def interval_of(source: Path, recorded: Sequence[Recording]) -> tuple[float | None, str | None]:
    """Median time between rows, and a note if it varies; None without times.

    Raises:
        DataError: the rows are not sampled at a steady rate at all.
    """
    times = [one.moments for one in recorded if one.moments is not None]
    if not times:
        return None, None
    steps = np.concatenate([np.diff(one) for one in times])
    if not len(steps):
        raise DataError(
            f"{source}: each recording has one row only; --group-column must name the column whose "
            "cell is the same in all rows of a recording"
        )
    steps = steps[steps > 0]
    if not len(steps):
        raise DataError(f"{source}: all times are equal; name another --time-column")
    interval = float(np.median(steps))
    away = abs(steps - interval) > _STEADY * interval
    gaps = int((steps > GAP * interval).sum())
    if away.mean() > _MOST_IRREGULAR:
        low, high = np.quantile(steps, [0.05, 0.95])
        raise DataError(
            f"{source}: rows are {low:g} to {high:g} apart (90 %), so a window has no duration; "
            "resample the file to a steady rate, or remove --time-column to take rows as they are"
        )
    told = []
    if away.mean() > _IRREGULAR:
        told.append(f"{away.mean():.1%} of the intervals differ, and rows there are interpolated")
    if gaps:
        told.append(f"{gaps:,} gaps end a window")
    told.insert(0, f"rows are {interval:g} apart")
    return interval, "; ".join(told)


def pieces_of(one: Recording, length: int, *, lenient: bool) -> list[Recording]:
    """Cut a recording into pieces of equal length."""
    count = min(_PIECES, len(one.values) // (_WINDOWS_EACH * length))
    if count < LEAST_RECORDINGS and lenient:
        return [one]
    if count < LEAST_RECORDINGS:
        raise DataError(
            f"{one.name}: has {len(one.values):,} rows; with --window {length} at least "
            f"{LEAST_RECORDINGS * _WINDOWS_EACH * length:,} are needed"
        )
    made = []
    for number, part in enumerate(np.array_split(np.arange(len(one.values)), count), 1):
        rows_of = slice(part[0], part[-1] + 1)
        made.append(
            Recording(
                f"piece {number}",
                one.values[rows_of],
                None if one.moments is None else one.moments[rows_of],
                one.cells[rows_of],
                one.lines[rows_of],
                one.wishes[rows_of],
                {name: cells[rows_of] for name, cells in one.owners.items()},
            )
        )
    return made
