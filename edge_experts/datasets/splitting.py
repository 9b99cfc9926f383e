"""Splits: stratified, where every label keeps its share in each part; or whole groups."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar

import numpy as np


@dataclass(frozen=True)
class Split:
    """Examples and what is wanted of each.

    Attributes:
        targets: the index of each one's label, (examples,) int64; of regression the values of the
            outputs that `labels` names, (examples, outputs) float64, in the data's own units.
    """

    inputs: Sequence[Any] | np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


class Splits(TypedDict):
    """The splits of a data set, as its keyword arguments."""

    train: Split
    validation: Split
    test: Split


SHARES = {"test": 0.2, "validation": 0.1}


_Example = TypeVar("_Example")


def by_group(
    rows: Iterable[tuple[str, _Example, int]], *, test: int = 5, validation: int = 10
) -> Splits:
    """Examples in splits of which no two share a group: a document, a package ...

    The checksum of a group's name decides, so that a group is where it is whatever other groups
    there are, on every machine.

    Args:
        rows: group, example and the index of its label.
        test: one group of so many is tested with.
        validation: one of so many others validates.
    """
    found: dict[str, list[tuple[_Example, int]]] = {"train": [], "validation": [], "test": []}
    for group, example, target in rows:
        found[_split_of(group, test, validation)].append((example, target))

    def split(name: str) -> Split:
        own = found[name]
        return Split([example for example, _ in own], np.array([target for _, target in own], int))

    return Splits(train=split("train"), validation=split("validation"), test=split("test"))


def _split_of(group: str, test: int, validation: int) -> str:
    if zlib.crc32(group.encode()) % test == 0:
        return "test"
    # Another hash of the same group, so that validation is independent of the test split.
    other = zlib.crc32(f"validation {group}".encode())
    return "validation" if other % validation == 0 else "train"


def assign(
    wishes: np.ndarray,
    targets: np.ndarray,
    seed: int,
    draw: Sequence[str] = ("test", "validation"),
    *,
    groups: Sequence[str] | None = None,
) -> np.ndarray:
    """A split's name for every row: the data's own wish, else by chance.

    Args:
        wishes: "train", "validation" or "test" for each row, or "" where there is no wish.
        targets: the index of each row's label.
        seed: what rows are drawn by.
        draw: the splits to draw from the training rows, unless some row wishes for them.
        groups: of each row, where rows of one group must not be in two splits by chance.
    """
    random = np.random.default_rng(seed)
    splits = wishes.astype("<U10")
    splits[splits == ""] = "train"
    for name in draw:
        if name in wishes:
            continue
        for target in np.unique(targets):
            rows = random.permutation(np.flatnonzero((targets == target) & (splits == "train")))
            splits[rows[: round(len(rows) * SHARES[name])]] = name
    return splits if groups is None else _whole(splits, wishes, groups)


def _whole(splits: np.ndarray, wishes: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """The splits, where all rows of a group without a wish follow the first of them."""
    first: dict[str, str] = {}
    return np.array(
        [
            split if wish else first.setdefault(group, split)
            for split, wish, group in zip(splits, wishes, groups, strict=True)
        ],
        splits.dtype,
    )
