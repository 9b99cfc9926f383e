"""Splits: stratified, where every label keeps its share in each part; or whole groups."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import numpy as np

from .dataset import Split

SHARES = {"test": 0.2, "validation": 0.1}


def by_group(rows: Iterable[tuple[str, str, int]]) -> dict[str, Split]:
    """Texts in splits of which no two share a group: a document, a package ...

    The checksum of a group's name decides, so that a group is where it is whatever other groups
    there are, on every machine.

    Args:
        rows: group, text and the index of its label.
    """
    found: dict[str, list[tuple[str, int]]] = {"train": [], "validation": [], "test": []}
    for group, text, target in rows:
        found[_split_of(group)].append((text, target))
    return {
        name: Split([text for text, _ in split], np.array([target for _, target in split], int))
        for name, split in found.items()
    }


def _split_of(group: str) -> str:
    if zlib.crc32(group.encode()) % 5 == 0:
        return "test"
    # Another hash of the same group, so that validation is independent of the test split.
    return "validation" if zlib.crc32(f"validation {group}".encode()) % 10 == 0 else "train"


def assign(
    wishes: np.ndarray,
    targets: np.ndarray,
    seed: int,
    draw: Sequence[str] = ("test", "validation"),
) -> np.ndarray:
    """A split's name for every row: the data's own wish, else by chance.

    Args:
        wishes: "train", "validation" or "test" for each row, or "" where there is no wish.
        targets: the index of each row's label.
        seed: what rows are drawn by.
        draw: the splits to draw from the training rows, unless some row wishes for them.
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
    return splits
