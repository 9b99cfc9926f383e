"""The user's own files.

A .csv or .tsv has a `label` column, and maybe a `split` column; with a `text` column it is a data
set of texts, with `translation` beside it one of translations to the languages that the labels
name; otherwise every other column is a number or a category. An .npz has x_train, y_train, x_test
and y_test.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from . import npz, rows
from .arrays import from_arrays
from .dataset import Dataset, Split, refuse_measurements
from .splitting import assign

_SPLITS = ("train", "validation", "test")
_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
SUFFIXES = (*rows.SUFFIXES, ".npz")
_KINDS: dict[type, tuple[str, str]] = {
    str: ("text", "text classification"),
    tuple: ("translation", "translation"),
    dict: ("table", "table classification"),
}
_LARGEST = 2**27  # bytes of text; in memory, the rows of a table take about 25 times that


def load(path: Path, seed: int) -> Dataset:
    """Read a file. Without splits of its own, a stratified fifth by `seed` is the test.

    Raises:
        DataError: what is wrong with the file, its line or column, and what it should be.
    """
    return _load_arrays(path, seed) if path.suffix.lower() == ".npz" else _load_rows(path, seed)


def _load_arrays(path: Path, seed: int) -> Dataset:
    arrays = npz.read(path, _ARRAYS)
    return from_arrays(path.stem, *arrays, seed=seed, origin=f"the file {path.name}")


def _load_rows(path: Path, seed: int) -> Dataset:
    size = path.stat().st_size
    if size > _LARGEST:
        raise DataError(
            f"{path}: {size / 1e6:,.0f} MB; at most {_LARGEST / 1e6:.0f} MB are read, because all "
            "rows are held in memory. Train on a sample: (head -n 1 FILE; tail -n +2 FILE | "
            "shuf -n 100000) > sample.csv"
        )
    inputs: list[Any] = []
    names, wishes = [], []
    for line, row in rows.read(path):
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
        inputs.append(_input(path, line, row))
        names.append(label)
        wishes.append(wish)
    if not inputs:
        raise DataError(f"{path}: has no rows below its header")
    labels = tuple(sorted(set(names)))
    index = {label: place for place, label in enumerate(labels)}
    targets = np.array([index[name] for name in names])
    refuse_measurements(str(path), len(labels), len(targets))
    kind, task = _KINDS[type(inputs[0])]
    # An English sentence that training has seen in one language is no test of another one.
    groups = [one[0] for one in inputs] if kind == "translation" else None
    splits = assign(np.array(wishes), targets, seed, groups=groups)

    def take(name: str) -> Split:
        places = np.flatnonzero(splits == name)
        return Split([inputs[place] for place in places], targets[places])

    return Dataset(
        name=path.stem,
        kind=kind,
        task=task,
        labels=labels,
        origin=f"the file {path.name}",
        train=take("train"),
        validation=take("validation"),
        test=take("test"),
    )


def _input(path: Path, line: int, row: dict[str, str]) -> Any:
    """What a row without its label is an example of."""
    if "text" not in row:
        return row
    if "translation" not in row:
        return row["text"]
    pair = (row["text"].strip(), row["translation"].strip())
    if not all(pair):
        raise DataError(f"{path}: line {line}: a text and its translation must not be empty")
    return pair
