"""Hashes of rows: of the encoded input and its target, independent of file and spelling."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import UsageError
from ..features import Features
from ..format.trained_rows import BITS, TrainedRows
from .dataset import Dataset, Split

NONE = np.uint64(2**BITS)  # for a row that cannot be encoded: equals no trained row
_TOKENS = 256  # of a text, in this estimate
_SAMPLE = 2000  # number of rows for the estimate of equal rows by chance


def hashes(features: Features, dataset: Dataset, split: Split) -> np.ndarray:
    """Hash of each row of a split, (rows,) uint64; NONE if the input violates the contract."""
    found = np.full(len(split), NONE, np.uint64)
    for row, example in enumerate(dataset.asked(split)):
        arrays = _encoded(features, example)
        if arrays is not None:
            found[row] = _hash(arrays, _target(dataset.labels, split.targets[row]))
    return found


def trained_rows(features: Features, dataset: Dataset) -> TrainedRows:
    """Rows of the training and the validation split, which a training on the data sees."""
    splits = (dataset.train, dataset.validation)
    every = np.concatenate([hashes(features, dataset, split) for split in splits])
    known = np.sort(every[every != NONE])
    return TrainedRows(known, _chance(known, features, dataset))


def _encoded(features: Features, example: Any) -> dict[str, np.ndarray] | None:
    try:
        return features.encode(example)
    except UsageError:
        return None


def _hash(arrays: Mapping[str, np.ndarray], target: str) -> int:
    digest = hashlib.blake2b(target.encode("utf-8", "surrogatepass"), digest_size=BITS // 8)
    for name in sorted(arrays):
        digest.update(name.encode())
        # Adding 0 makes -0.0 and 0.0 the same bytes.
        digest.update(np.ascontiguousarray(arrays[name] + arrays[name].dtype.type(0)).tobytes())
    return int.from_bytes(digest.digest(), "big")


def _target(labels: Sequence[str], target: Any) -> str:
    """Name of a label, names of several, or values of outputs by name, in any order of columns."""
    if np.ndim(target) == 0:
        return labels[int(target)]
    if np.asarray(target).dtype == bool:
        return repr(sorted(labels[place] for place in np.flatnonzero(target)))
    return repr(sorted(zip(labels, np.asarray(target, np.float64).tolist(), strict=True)))


def _chance(known: np.ndarray, features: Features, dataset: Dataset) -> float:
    """Estimate the probability that a new row equals a trained one.

    The larger of two estimates: the share of rows that occur more than once in the training (Good
    and Turing); and, since few rows show no such share, the product over all encoded numbers of the
    probability that two rows have the same one, as if these were independent.
    """
    if not len(known):
        return 0.0
    _, counts = np.unique(known, return_counts=True)
    repeated = 1 - (counts == 1).sum() / len(known)
    step = max(1, len(dataset.train) // _SAMPLE)
    rows = [
        np.concatenate([array.ravel().astype(np.float64) for array in arrays.values()])
        for example in list(dataset.asked(dataset.train))[::step][:_SAMPLE]
        if (arrays := _encoded(features, example)) is not None
    ]
    return float(max(repeated, min(1.0, len(known) * _both(_of_one_length(rows)))))


def _of_one_length(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Stack rows; texts of different numbers of tokens are padded with -1, and cut at the end."""
    if len({len(row) for row in rows}) <= 1:
        return np.array(rows)
    padded = np.full((len(rows), _TOKENS), -1.0)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row[:_TOKENS]
    return padded


def _both(rows: np.ndarray) -> float:
    """Probability that two rows agree in all numbers; rows are (rows, numbers)."""
    pairs = len(rows) * (len(rows) - 1) / 2
    probability = 1.0
    for column in rows.T:
        _, counts = np.unique(column, return_counts=True)
        probability *= (float((counts * (counts - 1) / 2).sum()) + 1) / (pairs + 1)
        if probability < 1e-12:
            return 0.0
    return probability
