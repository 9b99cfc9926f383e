"""Which inputs each expert owns: those for which it is the router's first choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...features import Features


@dataclass(frozen=True, eq=False)
class Owned:
    """Held-out examples and who owns each.

    Args:
        kind: of the data: "text", "table", "image" or "window".
        examples: as the data set has them; of tables the standardized rows, (examples, columns).
        columns: names of a table's columns.
        targets: the index of each example's label.
        owner: the router's choice for each.
        surety: of each, the probability of the choice times that of the answer.
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
        """The `most` experts that own most, in their own order, of those that own anything."""
        counts = np.bincount(self.owner, minlength=self.experts)
        return top(counts, min(most, int((counts > 0).sum())))

    def surest(self, expert: int, most: int) -> np.ndarray:
        """Examples that the expert owns: the surest of each of its labels, then the next ..."""
        mine = np.flatnonzero(self.owner == expert)
        mine = mine[np.argsort(-self.surety[mine], kind="stable")]
        ranks = np.zeros(len(mine), int)  # among those of the same label
        for label in np.unique(self.targets[mine]):
            same = self.targets[mine] == label
            ranks[same] = np.arange(same.sum())
        return mine[np.argsort(ranks, kind="stable")[:most]]

    def name(self, expert: int) -> str:
        return f"expert {expert}, {np.mean(self.owner == expert):.1%}"


def top(weights: np.ndarray, most: int) -> np.ndarray:
    """The places of the `most` largest weights, in their own order."""
    return np.sort(np.argsort(-weights, kind="stable")[:most])


def column_names(features: Features, width: int) -> list[str]:
    """What the columns of an encoded table are called, in their order."""
    columns = features.settings.get("columns")
    if columns is None:  # of an .npz
        return [f"column {place}" for place in range(width)]
    numbers = [column["name"] for column in columns if "values" not in column]
    return numbers + [
        f"{column['name']}={value}" for column in columns for value in column.get("values", ())
    ]
