"""Data sets from arrays in memory: tables of numbers, images, windows of sensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import DataError
from . import series
from .dataset import Dataset, Split
from .targets import targets_of, type_of_arrays

_LEAST_IMAGE_SIDE = 8
_LARGEST = 1e30  # larger numbers overflow when squared; no measurement is as large


def from_arrays(
    name: str,
    x_train: np.ndarray,
    y_train: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
    *,
    seed: int = 0,
    labels: Sequence[str] | None = None,
    groups_train: Sequence[str] | None = None,
    groups_test: Sequence[str] | None = None,
    origin: str = "arrays in memory",
    task_type: str | None = None,
) -> Dataset:
    """Build a data set from (examples, ...) arrays with a target for each example.

    Whole numbers are labels of classes, and rows of 0 and 1 sets of labels; other numbers,
    (examples,) or (examples, outputs), are values to predict. A stratified tenth of the training
    examples, drawn by `seed`, is the validation split; for data in series it consists of stretches
    (`series.py`).

    Args:
        labels: names of the classes in the order of their numbers, or of the outputs.
        groups_train, groups_test: recording, person or place of each example. Validation has whole
            groups, and no group may be in both training and test.
        task_type: "classification", "multi-label", "regression" or another package's; from the
            targets if None.

    Raises:
        DataError: the task does not support the shapes or types.
    """
    task_type = task_type or type_of_arrays(y_train, y_test)
    task = targets_of(task_type)
    train, test = task.of_arrays(name, y_train, y_test, labels)
    task.refuse_few(name, train.labels, len(train.targets) + len(test.targets))
    parts = (("train", x_train, train.targets), ("test", x_test, test.targets))
    for part, x, y in parts:
        if x.dtype.kind not in "buif":
            raise DataError(f"{name}: x_{part} must hold numbers, got {x.dtype}")
        if x.dtype.kind == "f" and (np.isfinite(x) & (abs(x) > _LARGEST)).any():
            raise DataError(
                f"{name}: x_{part} holds a number beyond {_LARGEST:.0e}; scale it, or put NaN "
                "where nothing was measured"
            )
        if not x.ndim or len(x) != len(y) or not len(x):
            raise DataError(
                f"{name}: x_{part} has the shape {x.shape}, y_{part} has {len(y)} targets; there "
                "must be one for each example, and at least one example"
            )
    if x_train.shape[1:] != x_test.shape[1:] or not 2 <= x_train.ndim <= 4 or not x_train.size:
        raise DataError(
            f"{name}: x_train {x_train.shape} and x_test {x_test.shape} must hold examples of one "
            "shape: (columns,), (time, channels), (height, width) or (height, width, channels)"
        )
    _refuse_shared(name, groups_train, groups_test)
    wishes = np.full(len(y_train), "")
    splits = task.assign(wishes, train.targets, seed, draw=["validation"], groups=groups_train)
    if groups_train is None:
        splits = series.redraw(splits, x_train, train.targets, seed)
    validation = splits == "validation"

    def of(rows: np.ndarray) -> np.ndarray | None:
        return None if groups_train is None else np.array(groups_train)[rows]

    kind = kind_of(x_train)
    return Dataset(
        name=name,
        kind=kind,
        task=task.title(kind),
        labels=train.labels,
        origin=origin,
        train=Split(x_train[~validation], train.targets[~validation], of(~validation)),
        validation=Split(x_train[validation], train.targets[validation], of(validation)),
        test=Split(x_test, test.targets),
        task_type=task_type,
    )


def _refuse_shared(name: str, train: Sequence[str] | None, test: Sequence[str] | None) -> None:
    """Reject groups that are in training and test, which would make the test too easy."""
    shared = sorted(set(train or ()) & set(test or ()))
    if shared:
        raise DataError(
            f"{name}: group {shared[0]!r:.40} is in groups_train and in groups_test"
            + (f", and so are {len(shared) - 1} others" if len(shared) > 1 else "")
            + "; move its examples to one of them, or leave groups_test out to allow it"
        )
    if train is not None and len(set(train)) < 2:
        raise DataError(
            f"{name}: groups_train has one group only, and validation needs whole groups; give at "
            "least two, or leave it out"
        )


def kind_of(examples: np.ndarray) -> str:
    """Kind of (examples, ...) arrays: "table", "image" or "window".

    Two axes can be an image or channels over time. They are an image if they hold bytes, or if
    both are of some length.
    """
    shape = examples.shape[1:]
    if len(shape) == 1:
        return "table"
    image = len(shape) == 3 or examples.dtype == np.uint8 or min(shape) >= 2 * _LEAST_IMAGE_SIDE
    return "image" if image else "window"
