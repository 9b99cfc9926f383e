"""Data sets from arrays in memory: tables of numbers, images, windows of sensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import DataError
from .dataset import Dataset, Split, refuse_measurements
from .splitting import assign

_LEAST_IMAGE_SIDE = 8
_LARGEST = 1e30  # beyond it squares overflow; no measurement is as large


def from_arrays(
    name: str,
    x_train: np.ndarray,
    y_train: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
    *,
    seed: int = 0,
    labels: Sequence[str] | None = None,
    origin: str = "arrays in memory",
) -> Dataset:
    """A data set of (examples, ...) arrays with one whole number for each as its label.

    A stratified tenth of the training examples by `seed` becomes the validation split.

    Raises:
        DataError: shapes or types that are not those of a classification with one label.
    """
    y_train, y_test = _whole(name, "y_train", y_train), _whole(name, "y_test", y_test)
    for part, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        if x.dtype.kind not in "buif":
            raise DataError(f"{name}: x_{part} must hold numbers, got {x.dtype}")
        if x.dtype.kind == "f" and (np.isfinite(x) & (abs(x) > _LARGEST)).any():
            raise DataError(
                f"{name}: x_{part} holds a number beyond {_LARGEST:.0e}; scale it, or put NaN "
                "where nothing was measured"
            )
        if not x.ndim or len(x) != len(y) or not len(x):
            raise DataError(
                f"{name}: x_{part} has the shape {x.shape}, y_{part} has {len(y)} labels; there "
                "must be one for each example, and at least one example"
            )
    if x_train.shape[1:] != x_test.shape[1:] or not 2 <= x_train.ndim <= 4 or not x_train.size:
        raise DataError(
            f"{name}: x_train {x_train.shape} and x_test {x_test.shape} must hold examples of one "
            "shape: (columns,), (time, channels), (height, width) or (height, width, channels)"
        )
    values = np.unique(np.concatenate([y_train, y_test]))
    refuse_measurements(name, len(values), len(y_train) + len(y_test))
    names = tuple(labels) if labels else tuple(str(value) for value in values)
    targets = np.searchsorted(values, y_train)
    splits = assign(np.full(len(y_train), ""), targets, seed, draw=["validation"])
    validation = splits == "validation"
    return Dataset(
        name=name,
        kind=kind_of(x_train),
        task=f"{kind_of(x_train)} classification",
        labels=names,
        origin=origin,
        train=Split(x_train[~validation], targets[~validation]),
        validation=Split(x_train[validation], targets[validation]),
        test=Split(x_test, np.searchsorted(values, y_test)),
    )


def _whole(name: str, part: str, y: np.ndarray) -> np.ndarray:
    """The labels, (examples,) int64: one axis of 1 more and floats that are whole are taken too.

    Raises:
        DataError: they are not one whole number for each example.
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise DataError(
            f"{name}: {part} must have one label for each example, got the shape {y.shape}; "
            "several labels for one example are not offered"
        )
    # What is not finite, or too large for int64, changes on the way.
    with np.errstate(invalid="ignore"):
        whole = y.astype(np.int64) if y.dtype.kind in "buif" else None
    if whole is None or not np.array_equal(whole, y) or (whole < 0).any() != (y < 0).any():
        raise DataError(
            f"{name}: {part} must hold whole numbers, one label for each example, got {y.dtype}; "
            "regression is not offered"
        )
    return whole


def kind_of(examples: np.ndarray) -> str:
    """What (examples, ...) arrays are: "table", "image" or "window".

    Two axes can be an image or channels over time: bytes, or two sides of some length, are taken
    for an image.
    """
    shape = examples.shape[1:]
    if len(shape) == 1:
        return "table"
    image = len(shape) == 3 or examples.dtype == np.uint8 or min(shape) >= 2 * _LEAST_IMAGE_SIDE
    return "image" if image else "window"
