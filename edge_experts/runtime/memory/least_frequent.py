"""Eviction of the least frequently used expert, layer by layer.

A token needs experts of every layer. The least recently used expert is then often the one that the
next token needs: with room for fewer experts than a token uses, that order never hits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

_REMEMBERED = 64  # uses of each expert, on average, after which all counts are halved


class LeastFrequent:
    """Policy that keeps as many experts of each layer, and of these the most frequently used.

    Args:
        layers: indices of the experts of each layer.
    """

    def __init__(self, layers: Sequence[range]):
        self._layer = [number for number, places in enumerate(layers) for _ in places]
        self._uses = [0] * len(self._layer)
        self._left = self._period = _REMEMBERED * len(self._layer)

    def used(self, index: int) -> None:
        self._uses[index] += 1
        self._left -= 1
        if not self._left:  # what is used now counts more than what was used long ago
            self._uses = [count // 2 for count in self._uses]
            self._left = self._period

    def victim(self, idle: Sequence[int], wanted: int) -> int:
        layer, uses = self._layer, self._uses
        held = Counter(map(layer.__getitem__, idle))
        own = layer[wanted]
        largest = own if held[own] == max(held.values()) else max(held, key=held.__getitem__)
        return min([one for one in idle if layer[one] == largest], key=uses.__getitem__)
