"""Recordings of sensors, a row for each moment, as a data set of windows.

Each recording is in one split only: windows of one recording overlap and resemble each other, so
that a random split would test on what was trained. Without a column of recordings, a file is cut
into pieces that no window crosses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..errors import DataError, UsageError
from ..features.sensor_stream import SensorStream, WindowCutter
from . import row_checks, rows
from .columns import Columns
from .dataset import Dataset, Split
from .recordings import folders_in_several_splits, in_several_splits
from .row_file import role, target_columns
from .sensor_recordings import (
    LEAST_RECORDINGS,
    Recording,
    files_of,
    interval_of,
    pieces_of,
    recordings_of,
)
from .targets import Targets, Wanted, targets_of, type_of_columns

KIND = "window"
_MOST_NUMBERS = 2**28  # of all windows
_ONE_RECORDING = (
    "all rows are of one recording: test windows are from other pieces of it. To test on other "
    "recordings, name their column: --group-column"
)


@dataclass(frozen=True)
class SensorWindows:
    """Windows of all recordings, with their targets and splits.

    Attributes:
        rows: (windows, length, channels) float32.
        groups: recording of each window.
        splits: name of the split of each window.
        has_splits: True if the data states them; otherwise they are drawn.
        owners: person, machine or place of each window, by column; see `recordings`.
    """

    name: str
    origin: str
    rows: np.ndarray
    wanted: Wanted
    groups: np.ndarray
    splits: np.ndarray
    columns: Columns
    stream: SensorStream
    task_type: str
    has_splits: bool
    owners: Mapping[str, np.ndarray]
    notes: tuple[str, ...]

    @property
    def folders(self) -> np.ndarray:
        """Folder of each window's file, (windows,), where files are recordings; "." for none."""
        if self.columns.group is not None:
            return np.zeros(0, str)
        return np.array([str(PurePosixPath(name).parent) for name in self.groups])

    def split(self, name: str) -> Split:
        places = np.flatnonzero(self.splits == name)
        return Split(self.rows[places], self.wanted.targets[places], self.groups[places])


def load(
    source: Path,
    seed: int,
    task_type: str | None,
    columns: Columns | None = None,
    *,
    length: int,
    stride: int | None = None,
    stream: SensorStream | None = None,
) -> Dataset:
    """Read a .csv or .tsv, or a folder of them, with a row for each moment; as `read`."""
    found = read(source, seed, task_type, columns, length=length, stride=stride, stream=stream)
    task = targets_of(found.task_type)
    task.refuse_few(str(source), found.wanted.labels, len(found.rows))
    return Dataset(
        name=found.name,
        kind=KIND,
        task=task.title(KIND),
        labels=found.wanted.labels,
        origin=found.origin,
        train=found.split("train"),
        validation=found.split("validation"),
        test=found.split("test"),
        task_type=found.task_type,
        columns=found.columns,
        notes=(
            *found.notes,
            *in_several_splits(found.owners, found.splits, stated=found.has_splits),
            *folders_in_several_splits(found.folders, found.wanted.targets, found.splits),
        ),
        stream=found.stream,
    )


def read(
    source: Path,
    seed: int,
    task_type: str | None,
    columns: Columns | None = None,
    *,
    length: int,
    stride: int | None = None,
    stream: SensorStream | None = None,
    lenient: bool = False,
) -> SensorWindows:
    """Cut windows from a .csv or .tsv, or a folder of them, with a row for each moment.

    Args:
        task_type: from the header if None.
        columns: label, group (the recording) and time; all other columns are channels.
        length: rows of a window.
        stride: rows between the starts of two windows; half of `length` by default.
        stream: of the bundle or run that the windows are for; None for a new training.
        lenient: accept too few recordings for three splits; all of them are then test rows.

    Raises:
        DataError: a file is invalid; the message has the line or column and the remedy.
    """
    if length < 2:
        raise UsageError("--window must be at least 2 rows")
    files = files_of(source)
    header = list(next(rows.read(files[0], decimal_points=True), (0, {}))[1])
    if not header:
        raise DataError(f"{files[0]}: has no rows below its header")
    columns = (columns or Columns()).of_header(str(files[0]), header)
    if task_type is None:
        row_checks.refuse_both(files[0], header, columns)
        task_type = type_of_columns(header if columns.label is None else [role(columns.label)])
    task = targets_of(task_type, columns.normal)
    notes: list[str] = []
    if stream is not None:
        known = [name if name in header else None for name in (stream.time, stream.recording)]
        columns = replace(columns, time=known[0], group=known[1])
    chosen = target_columns(files[0], task, header, columns)
    if stream is None:
        beside = {*chosen, "split", *columns.not_inputs}
        channels = tuple(name for name in header if name not in beside)
        if not channels:
            raise DataError(f"{files[0]}: has no column of measurements beside {', '.join(chosen)}")
        recorded = recordings_of(source, files, header, columns, chosen, channels)
        interval, note = interval_of(source, recorded)
        notes += [] if note is None else [note]
        stream = SensorStream(
            channels, stride or max(1, length // 2), columns.time, interval, columns.group
        )
    else:
        recorded = recordings_of(source, files, header, columns, chosen, stream.channels)
    has_splits = any(one.wishes for one in recorded)
    if columns.group is None and len(files) == 1:
        recorded = pieces_of(recorded[0], length, lenient=lenient)
        notes.append(_ONE_RECORDING)
    elif (count := len({one.name for one in recorded})) < LEAST_RECORDINGS and not (
        has_splits or lenient
    ):
        raise DataError(
            f"{source}: has {count} recording(s); at least {LEAST_RECORDINGS} are needed, "
            "for training, validation and test"
        )
    cut = _CutWindows.of(source, recorded, stream, length, task)
    wanted = _targets(source, task, chosen, cut)
    is_few = len(set(cut.groups)) < LEAST_RECORDINGS
    return SensorWindows(
        name=source.stem,
        origin=f"the {'folder' if source.is_dir() else 'file'} {source.name}",
        rows=cut.rows,
        wanted=wanted,
        groups=np.array(cut.groups),
        splits=np.full(len(cut.rows), "test")
        if is_few and not has_splits
        else task.assign(
            np.array(cut.wishes),
            wanted.targets,
            seed,
            examples=list(cut.rows),
            groups=cut.groups,
        ),
        columns=columns,
        stream=stream,
        task_type=task_type,
        has_splits=has_splits,
        owners={name: np.array(cells) for name, cells in cut.owners.items()}
        | ({} if columns.group is None else {columns.group: np.array(cut.groups)}),
        notes=(cut.told(), *notes, *wanted.notes),
    )


def _targets(source: Path, task: Targets, chosen: Sequence[str], cut: _CutWindows) -> Wanted:
    cells: list[list[Any]] = [
        [task.cell(source, line, name, text) for name, text in zip(chosen, own, strict=True)]
        for line, own in zip(cut.lines, cut.cells, strict=True)
    ]
    return task.of_rows(str(source), chosen, cells, cut.lines)


@dataclass(frozen=True)
class _CutWindows:
    """Windows of all recordings, with the cells of their targets."""

    rows: np.ndarray
    cells: Sequence[tuple[str, ...]]
    lines: Sequence[int]
    groups: Sequence[str]
    wishes: Sequence[str]
    owners: Mapping[str, Sequence[str]]
    mixed: int

    @classmethod
    def of(
        cls,
        source: Path,
        recorded: Sequence[Recording],
        stream: SensorStream,
        length: int,
        task: Targets,
    ) -> _CutWindows:
        """Cut all recordings; a window of several labels, or with a row of none, is left out."""
        found: list[tuple[np.ndarray, tuple[str, ...], int, str, str]] = []
        owners: dict[str, list[str]] = {name: [] for name in recorded[0].owners}
        mixed = 0
        for one in recorded:
            for window, places in _cut(one, stream, length):
                cells = {one.cells[place] for place in places}
                last = one.cells[places[-1]]
                blank = any(not all(cell.strip() for cell in own) for own in cells)
                wishes = {one.wishes[place] for place in places} if one.wishes else {""}
                if blank or len(wishes) > 1 or (not task.numbers and len(cells) > 1):
                    mixed += 1
                    continue
                found.append((window, last, one.lines[places[-1]], one.name, wishes.pop()))
                for name, cells_of in one.owners.items():
                    owners[name].append(cells_of[places[-1]])
                if len(found) * window.size > _MOST_NUMBERS:
                    raise DataError(
                        f"{source}: its windows have over {_MOST_NUMBERS:,} numbers; raise --stride"
                    )
        if not found:
            longest = max(len(one.values) for one in recorded)
            raise DataError(
                f"{source}: has no window of {length} rows with one label; the longest recording "
                f"has {longest:,} rows. Lower --window"
            )
        windows, cells_of_, lines, groups, wished = zip(*found, strict=True)
        return cls(np.stack(windows), cells_of_, lines, groups, wished, owners, mixed)

    def told(self) -> str:
        """Count the windows, in words."""
        count, length = self.rows.shape[:2]
        told = f"{count:,} windows of {length} rows, of {len(set(self.groups)):,} recordings"
        if self.mixed:
            told += f"; {self.mixed:,} with several labels, or rows of none, are left out"
        return told


def _cut(
    one: Recording, stream: SensorStream, length: int
) -> Iterator[tuple[np.ndarray, Sequence[int]]]:
    cutter: WindowCutter[int] = WindowCutter(stream, length)
    for place, values in enumerate(one.values):
        when = None if one.moments is None else float(one.moments[place])
        for window in cutter.push(values, place, when):
            yield window.rows, window.tags
