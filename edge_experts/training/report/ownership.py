"""Ownership of inputs: an expert owns those for which it is the top-1 choice of the router."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...features import Features


@dataclass(frozen=True, eq=False)
class Owned:
    """Held-out examples with their owners.

    Args:
        kind: kind of the data: "text", "table", "image", "window", "photo" or "sound".
        examples: examples of the data set; for tables the standardized rows, (examples, columns).
        columns: names of a table's columns.
        targets: index of each example's label.
        owner: routed expert of each example.
        surety: probability of the routed expert times that of the answer, for each example.
    """

    kind: str
    examples: Sequence[Any] | np.ndarray
    columns: Sequence[str]
    labels: Sequence[str]
    targets: np.ndarray
    owner: np.ndarray
    surety: np.ndarray
    experts: int

    def used(self, most: int) -> np.ndarray:
        """The `most` experts that own the most inputs, by index; without those that own none."""
        counts = np.bincount(self.owner, minlength=self.experts)
        return top(counts, min(most, int((counts > 0).sum())))

    def surest(self, expert: int, most: int) -> np.ndarray:
        """Examples that the expert owns: the most confident of each label, then the next ones."""
        mine = np.flatnonzero(self.owner == expert)
        mine = mine[np.argsort(-self.surety[mine], kind="stable")]
        ranks = np.zeros(len(mine), int)  # rank within the same label
        for label in np.unique(self.targets[mine]):
            same = self.targets[mine] == label
            ranks[same] = np.arange(same.sum())
        return mine[np.argsort(ranks, kind="stable")[:most]]

    def name(self, expert: int) -> str:
        return f"expert {expert}, {np.mean(self.owner == expert):.1%}"


def top(weights: np.ndarray, most: int) -> np.ndarray:
    """Indices of the `most` largest weights, in ascending order."""
    return np.sort(np.argsort(-weights, kind="stable")[:most])


def column_names(features: Features, width: int) -> list[str]:
    """Names of the columns of an encoded table, in their order."""
    columns = features.settings.get("columns")
    if columns is None:  # features of an .npz
        return [f"column {place}" for place in range(width)]
    numbers = [column["name"] for column in columns if "values" not in column]
    return numbers + [
        f"{column['name']}={value}" for column in columns for value in column.get("values", ())
    ]
