"""The user's own files.

A .csv or .tsv has a `label` column, and maybe a `split` column; with a `text` column it is a data
set of texts, otherwise every other column is a number or a category. An .npz has x_train, y_train,
x_test and y_test.
"""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .arrays import from_arrays
from .dataset import Dataset, Split
from .splitting import assign

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_SPLITS = ("train", "validation", "test")
_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
SUFFIXES = (*_DELIMITERS, ".npz")


def load(path: Path, seed: int) -> Dataset:
    """Read a file. Without splits of its own, a stratified fifth by `seed` is the test.

    Raises:
        DataError: what is wrong with the file, its line or column, and what it should be.
    """
    return _load_arrays(path, seed) if path.suffix.lower() == ".npz" else _load_rows(path, seed)


def _load_arrays(path: Path, seed: int) -> Dataset:
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in _ARRAYS if name not in file]
            if missing:
                raise DataError(
                    f"{path}: no array {', '.join(missing)}; found: {', '.join(file.files)}"
                )
            arrays = [file[name] for name in _ARRAYS]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not an .npz of plain arrays: {error}") from None
    return from_arrays(path.stem, *arrays, seed=seed, origin=f"the file {path.name}")


def _load_rows(path: Path, seed: int) -> Dataset:
    inputs: list[Any] = []
    names, wishes = [], []
    for line, row in read_rows(path):
        split = row.pop("split", None)
        wish = (split or "").strip().lower()
        if split is not None and wish not in _SPLITS:
            raise DataError(f"{path}: line {line}: split must be one of {_SPLITS}, got {wish!r}")
        if "label" not in row:
            raise DataError(f"{path}: no column 'label' in its header; found: {', '.join(row)}")
        label = row.pop("label").strip()
        if not label:
            raise DataError(f"{path}: line {line}: the label is empty")
        if not row:
            raise DataError(f"{path}: has labels only; add a column 'text', or columns of numbers")
        inputs.append(row.get("text", row))
        names.append(label)
        wishes.append(wish)
    if not inputs:
        raise DataError(f"{path}: has no rows below its header")
    labels = tuple(sorted(set(names)))
    places = {label: place for place, label in enumerate(labels)}
    targets = np.array([places[name] for name in names])
    if len(labels) > 1 and len(targets) < 10 * len(labels):
        raise DataError(
            f"{path}: {len(targets)} rows for {len(labels)} labels; at least 10 for each are "
            "needed. Labels are classes: a column of measurements to predict (regression) is not "
            "offered"
        )
    splits = assign(np.array(wishes), targets, seed)

    def take(name: str) -> Split:
        rows = np.flatnonzero(splits == name)
        return Split([inputs[row] for row in rows], targets[rows])

    is_text = isinstance(inputs[0], str)
    return Dataset(
        name=path.stem,
        kind="text" if is_text else "table",
        task="text classification" if is_text else "table classification",
        labels=labels,
        origin=f"the file {path.name}",
        train=take("train"),
        validation=take("validation"),
        test=take("test"),
    )


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and columns of every row of a .csv or .tsv, its shape checked.

    Raises:
        DataError: the file is empty, not UTF-8, or a row does not fit the header.
    """
    csv.field_size_limit(2**27)  # a cell may hold a whole document
    line = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=_DELIMITERS[path.suffix.lower()], strict=True)
            if not reader.fieldnames:
                raise DataError(f"{path}: the file is empty")
            if len(set(reader.fieldnames)) < len(reader.fieldnames):
                raise DataError(f"{path}: two columns of its header have the same name")
            if len(reader.fieldnames) == 1 and ";" in reader.fieldnames[0]:
                raise DataError(f"{path}: separated by semicolons; save it with commas")
            for row in reader:
                line = reader.line_num
                if None in row or None in row.values():
                    raise DataError(
                        f"{path}: line {line}: not as many cells as the header has; "
                        "put quotes around a cell that holds the separator"
                    )
                yield line, row
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from None
    except csv.Error as error:
        raise DataError(f"{path}: after line {line}: {error}") from None
