"""Splits of data sets: stratified, with the same shares of labels in each; or by group."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar

import numpy as np

from ..features.cells.dates import moments


@dataclass(frozen=True)
class Split:
    """Examples with their targets.

    Attributes:
        targets: index of each example's label, (examples,) int64; for regression the values of the
            outputs that `labels` names, (examples, outputs) float64, in the data's own units; of
            multi-label data the labels that an example has, (examples, labels) bool.
        groups: recording, person or place of each example, (examples,), if the data has it.
    """

    inputs: Sequence[Any] | np.ndarray
    targets: np.ndarray
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets)


class Splits(TypedDict):
    """Splits of a data set, as its keyword arguments."""

    train: Split
    validation: Split
    test: Split


SHARES = {"test": 0.2, "validation": 0.1}


_Example = TypeVar("_Example")


def by_group(
    rows: Iterable[tuple[str, _Example, Any]], *, test: int = 5, validation: int = 10
) -> Splits:
    """Split examples by group, such as a document or a package: no two splits share a group.

    The checksum of a group's name decides, so that the split of a group does not depend on other
    groups or on the machine.

    Args:
        rows: group, example and its target.
        test: one of this many groups is in the test split.
        validation: one of this many other groups is in the validation split.
    """
    found: dict[str, list[tuple[_Example, Any]]] = {"train": [], "validation": [], "test": []}
    for group, example, target in rows:
        found[_split_of(group, test, validation)].append((example, target))

    def split(name: str) -> Split:
        own = found[name]
        return Split([example for example, _ in own], np.array([target for _, target in own]))

    return Splits(train=split("train"), validation=split("validation"), test=split("test"))


def _split_of(group: str, test: int, validation: int) -> str:
    if zlib.crc32(group.encode()) % test == 0:
        return "test"
    # A different hash, so that validation is independent of the test split.
    other = zlib.crc32(f"validation {group}".encode())
    return "validation" if other % validation == 0 else "train"


def assign(
    wishes: np.ndarray,
    targets: np.ndarray,
    seed: int,
    draw: Sequence[str] = ("test", "validation"),
    *,
    groups: Sequence[str] | None = None,
    alike: Sequence[str] | None = None,
) -> np.ndarray:
    """Assign a split to every row: the one that the data states, else a random one.

    Args:
        wishes: "train", "validation" or "test" for each row, or "" if the data does not state it.
        targets: index of each row's label.
        seed: seed of the random draw.
        draw: splits to draw from the training rows, unless the data states some of their rows.
        groups: group of each row, if no group may be in two splits. Whole groups are drawn, so that
            each split has its share of rows and labels as nearly as possible.
        alike: a text for each row; rows of equal texts are in the split of the first one drawn.
    """
    random = np.random.default_rng(seed)
    splits = wishes.astype("<U10")
    splits[splits == ""] = "train"
    for name in draw:
        if name in wishes:
            continue
        if groups is not None:
            splits[_of_groups(splits, targets, np.array(groups), random, SHARES[name])] = name
            continue
        for target in np.unique(targets):
            rows = random.permutation(np.flatnonzero((targets == target) & (splits == "train")))
            splits[rows[: round(len(rows) * SHARES[name])]] = name
    return splits if alike is None else _together(splits, wishes, alike)


def _of_groups(
    splits: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    random: np.random.Generator,
    share: float,
) -> np.ndarray:
    """Draw groups from the training rows; returns True for their rows.

    Groups are considered by size, the largest first. Each is drawn if that brings the counts of
    labels nearer to their share, and if every label keeps training rows.
    """
    free = splits == "train"
    names, which = np.unique(groups[free], return_inverse=True)
    labels, label = np.unique(targets[free], return_inverse=True)
    counts = np.zeros((len(names), len(labels)))
    np.add.at(counts, (which, label), 1)
    left, wanted = counts.sum(axis=0), counts.sum(axis=0) * share
    order = random.permutation(len(names))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    taken, have = np.zeros(len(names), bool), np.zeros(len(labels))

    def distance(found: np.ndarray) -> float:
        return float(np.sum((found - wanted) ** 2 / np.maximum(wanted, 1)))

    def keeps_labels(found: np.ndarray) -> bool:
        return bool((left[found > 0] > found[found > 0]).all())

    for place in order:
        more = have + counts[place]
        if distance(more) < distance(have) and keeps_labels(more):
            taken[place], have = True, more
    if not taken.any() and len(names) > 1:
        smallest = order[::-1]
        taken[next((one for one in smallest if keeps_labels(counts[one])), smallest[0])] = True
    found = np.zeros(len(splits), bool)
    found[np.flatnonzero(free)[taken[which]]] = True
    return found


def by_time(wishes: np.ndarray, times: Sequence[str]) -> np.ndarray | str:
    """Assign splits by time: the last fifth is the test, the tenth before it validation.

    Rows of one time are in one split. Splits that the data states are kept.

    Returns:
        Names, (rows,); or the reason why the times have no order.
    """
    ordered = moments(times)
    if isinstance(ordered, str):
        return ordered
    when = np.array(ordered)
    splits = wishes.astype("<U10")
    splits[splits == ""] = "train"
    for name in ("test", "validation"):
        if name in wishes:
            continue
        free = splits == "train"
        distinct, counts = np.unique(when[free], return_counts=True)
        if len(distinct) < 2:
            continue
        after = counts[::-1].cumsum()[::-1]  # number of rows from each time on
        start = int(np.argmin(abs(after[1:] - SHARES[name] * free.sum()))) + 1
        splits[free & (when >= distinct[start])] = name
    return splits


def _together(splits: np.ndarray, wishes: np.ndarray, alike: Sequence[str]) -> np.ndarray:
    """Assign rows of one text, if the data states no split, to the split of the first of them."""
    first: dict[str, str] = {}
    return np.array(
        [
            split if wish else first.setdefault(text, split)
            for split, wish, text in zip(splits, wishes, alike, strict=True)
        ],
        splits.dtype,
    )
