"""Keys and values of a text's earlier tokens, and attention to them in numpy.

A token's result depends neither on the tokens that are computed with it nor on their number: each
has separate products, whose sizes follow from its position alone.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from .network_settings import NetworkSettings

_BLOCK = 64  # tokens


class Rotary:
    """Rotary positions (Su et al., 2021, https://arxiv.org/abs/2104.09864).

    Args:
        positions: number of positions.
    """

    def __init__(self, positions: int, width: int, base: float):
        rates = base ** (-np.arange(0, width, 2) / width)
        turns = np.arange(positions)[:, None] * rates
        cosine, sine = np.cos(turns).astype(np.float32), np.sin(turns).astype(np.float32)
        # (positions, 1, halves of a head, width / 2)
        self._cosine = np.stack([cosine, cosine], axis=1)[:, None]
        self._sine = np.stack([-sine, sine], axis=1)[:, None]

    @property
    def nbytes(self) -> int:
        return int(self._cosine.nbytes + self._sine.nbytes)

    def turn(self, heads: np.ndarray, first: int) -> None:
        """Rotate heads in place, (tokens, heads, width), of tokens from position `first` on.

        Args:
            heads: its last two axes must be contiguous.
        """
        end, halves = first + len(heads), heads.reshape(*heads.shape[:2], 2, -1)
        crossed = halves[:, :, ::-1] * self._sine[first:end]
        halves *= self._cosine[first:end]
        halves += crossed


class KeyValueCache:
    """Keys and values of one text in all layers.

    They are in blocks of `_BLOCK` tokens. Attention multiplies a matrix of one block by a vector at
    a time: the library for matrix products copies larger operands, or divides them among threads,
    and both would make a token depend on what else runs.

    Attributes:
        tokens: tokens whose keys and values are complete.
    """

    def __init__(self, settings: NetworkSettings, layers: int, context: int):
        self._size = settings
        blocks = -(-context // _BLOCK)
        # Keys and values beside each other: a token's are written at once.
        shape = (layers, 2 * settings.key_heads, 1, blocks, _BLOCK, settings.width)
        self._kept = np.zeros(shape, np.float32)
        self._scale = np.float32(settings.width**-0.5)
        self.tokens: list[int] = []

    @property
    def nbytes(self) -> int:
        return self._kept.nbytes

    def keep(self, count: int) -> None:
        """Forget all tokens but the first `count`."""
        # Places after a token are multiplied by 0, which only finite numbers withstand.
        first, last = count // _BLOCK, -(-len(self.tokens) // _BLOCK)
        later = self._kept[:, :, :, first:last]
        if not np.isfinite(later).all():
            later[:] = 0
            count = min(count, first * _BLOCK)
        del self.tokens[count:]

    def clear(self) -> None:
        """Forget everything, after a failure."""
        self._kept[:] = 0
        self.tokens.clear()

    def attend(self, layer: int, query: np.ndarray, new: np.ndarray, first: int) -> np.ndarray:
        """Store keys and values of tokens from position `first` on, and mix the values up to each.

        Args:
            query: (tokens, heads, width).
            new: keys, then values: (tokens, 2 * key_heads, width).

        Returns:
            (tokens, heads * width) float32.
        """
        count, size = len(query), self._size
        grouped: np.ndarray = query.reshape(
            count, size.key_heads, size.heads // size.key_heads, size.width
        )
        parts, begin = [], 0
        while begin < count:  # tokens of one block at a time
            block, place = divmod(first + begin, _BLOCK)
            end = min(count, begin + _BLOCK - place)
            rows = slice(place, place + end - begin)
            self._kept[layer, :, 0, block, rows] = new[begin:end].transpose(1, 0, 2)
            parts.append(self._mixed(layer, grouped[begin:end], block, place))
            begin = end
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _mixed(self, layer: int, grouped: np.ndarray, block: int, place: int) -> np.ndarray:
        """Attend from tokens of one block, (tokens, key_heads, group, width)."""
        kept, shared = self._kept[layer, :, :, : block + 1], self._size.key_heads
        keys, values = kept[:shared], kept[shared:]
        # (tokens, key_heads, group, blocks, tokens of a block)
        scores = (keys @ grouped[:, :, :, None, :, None])[..., 0]
        scores *= self._scale
        for row in range(len(grouped)):
            scores[row, :, :, block, place + row + 1 :] = -np.inf  # later tokens
        flat: np.ndarray = scores.reshape(*grouped.shape[:3], -1)
        # As `max` and `sum`, without what these do first: it counts for single tokens.
        flat -= np.maximum.reduce(flat, axis=-1, keepdims=True)
        np.exp(flat, out=flat)
        flat /= np.add.reduce(flat, axis=-1, keepdims=True)
        mixed: np.ndarray = (scores[..., None, :] @ values)[..., 0, :]
        whole: np.ndarray = np.add.reduce(mixed, axis=3).reshape(len(grouped), -1)
        return whole


class CachePool:
    """A fixed number of caches; a request waits for one, and gets the one with its longest prefix.

    Args:
        caches: at least one.
    """

    def __init__(self, caches: Sequence[KeyValueCache]):
        self._free, self._changed = list(caches), threading.Condition()

    def take(self, tokens: Sequence[int]) -> tuple[KeyValueCache, int]:
        """Take a cache for a prompt; return it with the number of tokens that it knows already."""
        with self._changed:
            while not self._free:
                self._changed.wait()
            known = [_common(cache.tokens, tokens) for cache in self._free]
            best = max(range(len(known)), key=known.__getitem__)
            cache = self._free.pop(best)
        # The last token is computed again: its logits are not kept.
        count = max(0, min(known[best], len(tokens) - 1))
        cache.keep(count)
        return cache, count

    def give_back(self, cache: KeyValueCache) -> None:
        with self._changed:
            self._free.append(cache)
            self._changed.notify()


def _common(known: Sequence[int], tokens: Sequence[int]) -> int:
    """Count the equal tokens at the start of both."""
    for place, (one, other) in enumerate(zip(known, tokens, strict=False)):
        if one != other:
            return place
    return min(len(known), len(tokens))
