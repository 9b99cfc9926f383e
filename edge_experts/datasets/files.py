"""User files: .csv, .tsv and .npz.

A .csv or .tsv has a `label` column of classes, or a `target` column (or several, `target:NAME`) of
numbers to predict, and optionally a `split` column. With a `text` column it is a data set of texts;
with a `translation` column too, one of translations to the languages that the labels name. All
other columns are numbers, true or false, or categories. An .npz has x_train, y_train, x_test and
y_test; `labels` may name classes or outputs, and `groups_train` and `groups_test` recordings or
persons, each of which is in one split only.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UsageError
from ..features import Features
from . import npz_files, recordings, row_file, rows, series
from .arrays import from_arrays
from .columns import Columns
from .dataset import Dataset, Split
from .row_file import RowFile
from .splitting import by_time
from .targets import targets_of

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_LEAST_GROUPS = 3
SUFFIXES = (*rows.SUFFIXES, ".npz")


def load(
    path: Path,
    seed: int,
    task_type: str | None,
    columns: Columns | None = None,
    features: Features | None = None,
) -> Dataset:
    """Read a file. If it has no splits, a stratified fifth, drawn by `seed`, is the test split.

    Args:
        task_type: a name in `TARGETS`; from the file's columns or arrays if None.
        columns, features: see `row_file.read`.

    Raises:
        DataError: the file is invalid; the message has the line or column and the remedy.
        UsageError: columns are given, and the file has none.
    """
    if path.suffix.lower() == ".npz":
        if columns is not None and columns.to_json() and features is None:
            raise UsageError(
                f"{path}: has arrays; options that name columns are for .csv and .tsv only"
            )
        return _load_arrays(path, seed, task_type)
    if columns is not None:
        columns.refuse_both()
    file = row_file.read(path, task_type, columns, features)
    if features is None:
        _refuse_few(path, file)
    made = _split(path, file, seed)
    if features is not None or "" not in file.wishes or file.groups or file.times:
        return made
    return replace(made, notes=(*made.notes, *recordings.hints(file)))


def _load_arrays(path: Path, seed: int, task_type: str | None) -> Dataset:
    arrays = npz_files.read(path, _ARRAYS)
    train, test = (arrays[place].shape[:1] for place in (0, 2))
    return from_arrays(
        path.stem,
        *arrays,
        seed=seed,
        labels=npz_files.read_labels(path),
        groups_train=npz_files.read_groups(path, "train", train),
        groups_test=npz_files.read_groups(path, "test", test),
        origin=f"the file {path.name}",
        task_type=task_type,
    )


def _refuse_few(path: Path, file: RowFile) -> None:
    """Reject a column of groups or times with too few values for three splits."""
    for name, cells in ((file.columns.group, file.groups), (file.columns.time, file.times)):
        count = len(set(cells or ()))
        if cells is not None and "" in file.wishes and count < _LEAST_GROUPS:
            raise DataError(
                f"{path}: column {name!r} has {count} different value(s); at least {_LEAST_GROUPS} "
                "are needed, for training, validation and test"
            )


def _split(path: Path, file: RowFile, seed: int) -> Dataset:
    task = targets_of(file.task_type)
    task.refuse_few(str(path), file.wanted.labels, len(file.inputs))
    splits = split_names(path, file, seed)

    def take(name: str) -> Split:
        places = np.flatnonzero(splits == name)
        groups = None if file.groups is None else np.array(file.groups)[places]
        return Split([file.inputs[place] for place in places], file.wanted.targets[places], groups)

    return Dataset(
        name=path.stem,
        kind=file.kind,
        task=task.title(file.kind),
        labels=file.wanted.labels,
        origin=f"the file {path.name}",
        train=take("train"),
        validation=take("validation"),
        test=take("test"),
        task_type=file.task_type,
        columns=file.columns,
        types=file.types,
        notes=file.notes,
    )


def split_names(path: Path, file: RowFile, seed: int, *, lenient: bool = False) -> np.ndarray:
    """Assign a split to each row: the file's own, by groups, by time, or drawn by the seed.

    Args:
        lenient: draw rows by the seed if the times have no order.

    Raises:
        DataError: the times cannot be put in order.
    """
    splits = _split_names(path, file, seed, lenient=lenient)
    if file.wanted.held_out is not None:
        splits[file.wanted.held_out] = "test"
    return splits


def _split_names(path: Path, file: RowFile, seed: int, *, lenient: bool) -> np.ndarray:
    task = targets_of(file.task_type)
    if file.times is not None:
        made = by_time(file.wishes, file.times)
        if not isinstance(made, str):
            return made
        if not lenient:
            raise DataError(f"{path}: column {file.columns.time!r}: {made}")
    targets = file.wanted.targets
    if file.groups is not None:
        return task.assign(file.wishes, targets, seed, examples=file.inputs, groups=file.groups)
    splits = task.assign(file.wishes, targets, seed, examples=file.inputs)
    if "validation" in file.wishes:
        return splits
    return series.redraw(splits, _numbers(file), targets, seed)


def _numbers(file: RowFile) -> list[Any]:
    """Examples of the file; for a table, the numbers of each row."""
    if file.types is None:
        return file.inputs
    columns = [column for column in file.types if column.values is None]
    return [
        {column.name: column.read(row[column.name], None) for column in columns}
        for row in file.inputs
    ]
