"""Splits of files: by the digests of their contents, nearly equal ones together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from ..splitting import SHARES

_NAMED = 3


def assign(
    wishes: np.ndarray, targets: np.ndarray, groups: np.ndarray, keys: Sequence[bytes], seed: int
) -> np.ndarray:
    """Assign a split to each example: the one that its folder states, else by its digest.

    Of each label, the examples of the lowest digests are the test split, and the next ones the
    validation split. The split of an example thus does not depend on names, and hardly on other
    examples. The examples of a group are in the split of its first one.

    Args:
        wishes: "train", "validation" or "test" for each example, or "" if nothing states it.
        groups: index of the first example of each one's group.
        keys: digest of each example's file.
    """
    splits = wishes.copy()
    splits[splits == ""] = "train"
    names = [name for name in SHARES if name not in wishes]
    firsts, sizes = np.unique(groups[splits == "train"], return_counts=True)
    order = sorted(
        range(len(firsts)),
        key=lambda place: hashlib.blake2b(keys[firsts[place]] + str(seed).encode()).digest(),
    )
    for target in np.unique(targets):
        own = [place for place in order if targets[firsts[place]] == target]
        total = int(sizes[own].sum())
        for name in names:
            wanted, taken = round(total * SHARES[name]), 0
            while taken < wanted and len(own) > 1:
                place = own.pop(0)
                splits[(groups == firsts[place]) & (splits == "train")] = name
                taken += int(sizes[place])
    return splits


def notes(
    splits: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    names: Sequence[str],
    word: str,
) -> list[str]:
    """Sentences on nearly equal files: how many, across splits, and with different labels.

    Args:
        word: one file in words, such as "photo".
    """
    copies = np.flatnonzero(groups != np.arange(len(groups)))
    if not len(copies):
        return []
    found = []
    across = copies[splits[copies] != splits[groups[copies]]]
    if len(across):
        found.append(
            f"Warning: {_are(len(across), word)} nearly equal to one of another split, so that the "
            f"accuracy is too high: {_pairs(across, groups, names)}"
        )
    odd = copies[targets[copies] != targets[groups[copies]]]
    if len(odd):
        found.append(
            f"Warning: {_are(len(odd), word)} nearly equal to one of another label: "
            f"{_pairs(odd, groups, names)}"
        )
    within = np.setdiff1d(copies, across)
    if len(within):
        found.append(
            f"{_are(len(within), word)} nearly equal to another one, and in the same split: "
            f"{_pairs(within, groups, names)}"
        )
    return found


def _are(count: int, word: str) -> str:
    return f"1 {word} is" if count == 1 else f"{count:,} {word}s are"


def _pairs(places: np.ndarray, groups: np.ndarray, names: Sequence[str]) -> str:
    shown = [f"{names[place]} and {names[groups[place]]}" for place in places[:_NAMED].tolist()]
    more = f"; and {len(places) - _NAMED:,} more" if len(places) > _NAMED else ""
    return "; ".join(shown) + more
