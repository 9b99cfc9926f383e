"""Residency policy: the least frequently used expert of a layer leaves memory first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


class LeastFrequent:
    """Evicts within the layer of the expert that needs room, else in any layer.

    Of experts used equally often the least recently used one leaves.

    Args:
        layers: places of each layer's experts.
    """

    def __init__(self, layers: Sequence[range]):
        self._layers, self._uses = layers, Counter[int]()

    def used(self, index: int) -> None:
        self._uses[index] += 1

    def victim(self, idle: Sequence[int], wanted: int) -> int:
        layer = next(places for places in self._layers if wanted in places)
        own = [index for index in idle if index in layer]
        return min(own or idle, key=self._uses.__getitem__)
