"""The user's own files.

A .csv or .tsv has a `label` column of classes, or a `target` column (or several, `target:NAME`) of
numbers to predict, and maybe a `split` column; with a `text` column it is a data set of texts, with
`translation` beside it one of translations to the languages that the labels name; otherwise every
other column is a number or a category. An .npz has x_train, y_train, x_test and y_test.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from . import npz, rows, series
from .arrays import from_arrays
from .dataset import SPLITS, Dataset, Split
from .rows import TARGET
from .targets import targets_of, type_of_columns

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
SUFFIXES = (*rows.SUFFIXES, ".npz")
_KINDS: dict[type, str] = {str: "text", tuple: "translation", dict: "table"}  # by example
_LARGEST = 2**27  # bytes of text; in memory, the rows of a table take about 25 times that


def load(path: Path, seed: int, task_type: str | None = None) -> Dataset:
    """Read a file. Without splits of its own, a stratified fifth by `seed` is the test.

    Args:
        task_type: a name in `TARGETS`; by the file's columns or arrays if None.

    Raises:
        DataError: what is wrong with the file, its line or column, and what it should be.
    """
    read = _load_arrays if path.suffix.lower() == ".npz" else _load_rows
    return read(path, seed, task_type)


def _load_arrays(path: Path, seed: int, task_type: str | None) -> Dataset:
    arrays = npz.read(path, _ARRAYS)
    origin = f"the file {path.name}"
    return from_arrays(path.stem, *arrays, seed=seed, origin=origin, task_type=task_type)


def _load_rows(path: Path, seed: int, task_type: str | None) -> Dataset:
    size = path.stat().st_size
    if size > _LARGEST:
        raise DataError(
            f"{path}: {size / 1e6:,.0f} MB; at most {_LARGEST / 1e6:.0f} MB are read, because all "
            "rows are held in memory. Train on a sample: (head -n 1 FILE; tail -n +2 FILE | "
            "shuf -n 100000) > sample.csv"
        )
    inputs: list[Any] = []
    values, wishes = [], []
    columns: tuple[str, ...] = ()
    numbers = () if task_type is None else targets_of(task_type).numbers
    for line, row in rows.read(path, numbers):
        split = row.pop("split", None)
        wish = (split or "").strip().lower()
        if split is not None and wish not in SPLITS:
            raise DataError(f"{path}: line {line}: split must be one of {SPLITS}, got {wish!r}")
        if task_type is None:
            _refuse_both(path, row)
            task_type = type_of_columns(list(row))
        task = targets_of(task_type)
        columns = columns or task.columns(path, list(row))
        cells = [task.cell(path, line, column, row.pop(column)) for column in columns]
        if not row:
            only = columns[0].partition(":")[0]
            raise DataError(f"{path}: has {only}s only; add a column 'text', or columns of numbers")
        inputs.append(task.example(path, line, row))
        values.append(cells)
        wishes.append(wish)
    if task_type is None or not inputs:
        raise DataError(f"{path}: has no rows below its header")
    wanted = task.of_rows(str(path), columns, values)
    kind = _KINDS[type(inputs[0])]
    splits = task.assign(np.array(wishes), wanted.targets, seed, examples=inputs)
    if "validation" not in wishes:
        splits = series.redraw(splits, inputs, wanted.targets, seed)

    def take(name: str) -> Split:
        places = np.flatnonzero(splits == name)
        return Split([inputs[place] for place in places], wanted.targets[places])

    return Dataset(
        name=path.stem,
        kind=kind,
        task=task.title(kind),
        labels=wanted.labels,
        origin=f"the file {path.name}",
        train=take("train"),
        validation=take("validation"),
        test=take("test"),
        task_type=task_type,
    )


def _refuse_both(path: Path, columns: Iterable[str]) -> None:
    """Refuses a table that several tasks claim, of which none is a special form of another."""
    target = next((name for name in columns if TARGET.fullmatch(name)), None)
    if "label" in columns and target is not None:
        raise DataError(
            f"{path}: has a column 'label' and a column {target!r}; say which one is wanted: "
            "--task classification or --task regression (the other one is then an input), or leave "
            "one out"
        )
