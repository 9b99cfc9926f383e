"""Selection of one variant for each network with the least loss within a size.

It is the multiple-choice knapsack problem (Sinha and Zoltners, 1979), solved by dynamic programming
over sizes. Losses are additive because one expert answers an input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_CELLS = 4096  # minimum number of distinguished sizes
_CELLS_EACH = 32  # and for each network, because each size is rounded up


@dataclass(frozen=True)
class Table:
    """Smallest losses for every size up to `limit`, and the variants that reach them.

    Attributes:
        sizes: of each network's variants.
        losses: likewise.
        best: the least loss within each number of cells, (cells + 1,).
        picks: the variant of each network that reaches it, (networks, cells + 1).
        cell: bytes.
        least: bytes of the smallest variants together.
    """

    sizes: Sequence[Sequence[int]]
    losses: Sequence[Sequence[float]]
    best: np.ndarray
    picks: np.ndarray
    cell: float
    least: int

    def pick(self, budget: int) -> list[int] | None:
        """Pick a variant for each network, within `budget` bytes; None if none fit."""
        if budget < self.least:
            return None
        cells = len(self.best) - 1
        at = min(cells, int((budget - self.least) / self.cell))
        chosen = []
        for network in reversed(range(len(self.sizes))):
            variant = int(self.picks[network, at])
            chosen.append(variant)
            at -= self._cells_of(network, variant)
        return self._improved(chosen[::-1], budget)

    def _cells_of(self, network: int, variant: int) -> int:
        return _cells(self.sizes[network][variant] - min(self.sizes[network]), self.cell)

    def _improved(self, chosen: list[int], budget: int) -> list[int]:
        """Spend the bytes that are left over from rounding sizes up."""
        left = budget - sum(self.sizes[n][variant] for n, variant in enumerate(chosen))
        while True:
            gains = [
                (self.losses[n][now] - self.losses[n][other], n, other)
                for n, now in enumerate(chosen)
                for other in range(len(self.sizes[n]))
                if self.sizes[n][other] - self.sizes[n][now] <= left
            ]
            gain, network, other = max(gains)
            if gain <= 0:
                return chosen
            left -= self.sizes[network][other] - self.sizes[network][chosen[network]]
            chosen[network] = other


def solve(
    sizes: Sequence[Sequence[int]], losses: Sequence[Sequence[float]], limit: int | None = None
) -> Table:
    """Solve for all budgets up to `limit` bytes; by default the size of the largest variants.

    Args:
        sizes: bytes of each network's variants.
        losses: of each network's variants; the sum is minimized.
    """
    least = sum(min(own) for own in sizes)
    most = sum(max(own) for own in sizes)
    room = max(1, min(most, most if limit is None else limit) - least)
    cells = max(_CELLS, _CELLS_EACH * len(sizes))
    cell = room / cells
    best = np.zeros(cells + 1)
    picks = np.zeros((len(sizes), cells + 1), np.int16)
    for network, (own_sizes, own_losses) in enumerate(zip(sizes, losses, strict=True)):
        smallest = min(own_sizes)
        found = np.full(cells + 1, np.inf)
        for variant in np.argsort(own_sizes, kind="stable"):
            shift = _cells(own_sizes[variant] - smallest, cell)
            if shift > cells:
                continue
            reached = np.full(cells + 1, np.inf)
            reached[shift:] = best[: cells + 1 - shift] + own_losses[variant]
            better = reached < found
            found[better] = reached[better]
            picks[network, better] = variant
        best = found
    return Table(sizes, losses, best, picks, cell, least)


def _cells(size: int, cell: float) -> int:
    return int(np.ceil(size / cell - 1e-9))
