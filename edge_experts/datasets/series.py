"""Validation rows for data in series: windows of one recording, rows of one person or place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .splitting import SHARES
from .targets.label_sets import rarest

# A file is a series if the next row of the same class is nearer than a random one of that class
# more often than this. The share is 0.50 in shuffled files, 0.79 in windows of a recording and 0.65
# in digits by writer.
_ALIKE, _DEVIATIONS = 0.6, 5.0
_PAIRS = 4000  # largest number of compared rows
_COLUMNS = 512  # largest number of compared columns
_CLASSES = 5  # quantiles of values to predict


def redraw(
    splits: np.ndarray, inputs: Sequence[Any] | np.ndarray, targets: np.ndarray, seed: int
) -> np.ndarray:
    """Redraw validation rows in stretches, if neighbouring rows of the file are similar.

    A validation row whose neighbours are in the training split is hardly new, and rewards
    overfitting to persons or recordings. A stretch of the file is new except at its two ends. Each
    class gives as many rows as by a random draw, from the same part of the file.

    Args:
        splits: "train", "validation" or "test" for each row, in the order of the file, with
            validation rows drawn at random.
        inputs: inputs of the same rows, an array or rows of a table; texts are left as they are.
        targets: classes (rows,), values (rows, outputs), or sets of labels (rows, labels) bool.
    """
    rows = np.flatnonzero(splits != "test")
    points = _points(inputs, rows)
    if points is None:
        return splits
    classes = _classes(targets[rows])
    if not _in_series(points, classes, np.random.default_rng(seed)):
        return splits
    drawn = splits.copy()
    drawn[rows] = "train"
    drawn[rows[_stretches(classes, np.random.default_rng(seed))]] = "validation"
    return drawn


def _in_series(points: np.ndarray, classes: np.ndarray, random: np.random.Generator) -> bool:
    """True if the next row of a class is nearer than a random one of it, significantly.

    Args:
        points: (rows, columns), in the order of the file.
    """
    first, following, other = [], [], []
    for members in _by_class(classes):
        places = np.arange(len(members) - 1)
        others = random.integers(0, len(members), len(places))
        apart = abs(others - places) > 1
        first.append(members[places[apart]])
        following.append(members[places[apart] + 1])
        other.append(members[others[apart]])
    pairs = np.stack([np.concatenate(part) for part in (first, following, other)])
    pairs = pairs[:, random.permutation(pairs.shape[1])[:_PAIRS]]
    if not pairs.size:
        return False
    here, next_row, any_row = points[pairs]
    near, far = (((here - there) ** 2).sum(axis=1) for there in (next_row, any_row))
    alike = float(np.mean(near < far) + 0.5 * np.mean(near == far))
    return alike > _ALIKE and (alike - 0.5) * 2 * np.sqrt(len(near)) > _DEVIATIONS


def _stretches(classes: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Row indices of a stretch of each class, from the same part of the file, ascending."""
    begin = random.uniform(0, 1 - SHARES["validation"])
    places = []
    for members in _by_class(classes):
        length = round(len(members) * SHARES["validation"])
        starts = np.flatnonzero(np.diff(members, prepend=-2) != 1)  # first rows of consecutive runs
        first = _snapped(round(begin * len(members)), starts, length)
        last = _snapped(first + length, starts, length)
        places.append(members[first : last if last > first else first + length])
    return np.sort(np.concatenate(places))


def _snapped(place: int, starts: np.ndarray, length: int) -> int:
    """Nearest start within the length of a stretch, so that no series is cut in two."""
    nearest = int(starts[np.argmin(abs(starts - place))])
    return nearest if abs(nearest - place) <= length else place


def _by_class(classes: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(classes == label) for label in np.unique(classes)]


def _classes(targets: np.ndarray) -> np.ndarray:
    """Labels, or quantiles of the sum of the outputs' ranks, independent of their order.

    Of sets of labels, the rarest one of each.
    """
    if targets.ndim == 1 and targets.dtype.kind in "iub":
        return targets
    if targets.dtype == bool:
        return rarest(targets, targets.sum(axis=0))
    outputs = targets.reshape(len(targets), -1)
    ranks = np.argsort(np.argsort(outputs, axis=0, kind="stable"), axis=0, kind="stable")
    values = ranks.sum(axis=1)
    edges = np.quantile(values, np.linspace(0, 1, _CLASSES + 1)[1:-1])
    places: np.ndarray = np.searchsorted(edges, values)
    return places


def _points(inputs: Sequence[Any] | np.ndarray, rows: np.ndarray) -> np.ndarray | None:
    """Standardized (rows, columns); None for examples without numbers.

    A window is represented by the means and spreads of its channels, since the start of a movement
    in it is random.
    """
    if isinstance(inputs, np.ndarray):
        numbers = inputs[rows].astype(np.float32)
        if numbers.ndim == 3 and inputs.dtype != np.uint8:
            numbers = np.concatenate([numbers.mean(axis=1), numbers.std(axis=1)], axis=1)
        numbers = numbers.reshape(len(rows), -1)
        numbers = numbers[:, :: -(-numbers.shape[1] // _COLUMNS)]
    elif len(rows) and isinstance(inputs[rows[0]], Mapping):
        names = list(inputs[rows[0]])[:_COLUMNS]
        cells = [[_number(inputs[row].get(name)) for name in names] for row in rows]
        numbers = np.array(cells, np.float32).reshape(len(rows), -1)
    else:
        return None
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    numbers = numbers[:, np.isfinite(numbers).any(axis=0)]
    if not numbers.size:
        return None
    spread = np.nanstd(numbers, axis=0)
    points: np.ndarray = (numbers - np.nanmean(numbers, axis=0)) / np.where(spread, spread, 1)
    return np.nan_to_num(points)


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")
