"""Stratified splits: every label keeps its share in each part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SHARES = {"test": 0.2, "validation": 0.1}


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
