"""Keys and values of a text's earlier tokens, and attention to them in numpy.

A token's result depends neither on the tokens that are computed with it nor on their number: each
is a matrix product of its own, over a number of keys that follows from its position alone.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from .network_settings import NetworkSettings

_BLOCK = 64  # keys of a matrix product are a multiple of this


class Rotary:
    """Rotary positions (Su et al., 2021, https://arxiv.org/abs/2104.09864).

    Args:
        positions: number of positions.
    """

    def __init__(self, positions: int, width: int, base: float):
        rates = base ** (-np.arange(0, width, 2) / width)
        turns = np.arange(positions)[:, None] * rates
        self._cosine = np.cos(turns).astype(np.float32)[:, None]
        self._sine = np.sin(turns).astype(np.float32)[:, None]

    @property
    def nbytes(self) -> int:
        return self._cosine.nbytes + self._sine.nbytes

    def __call__(self, heads: np.ndarray, first: int) -> np.ndarray:
        """Rotate heads, (tokens, heads, width), of tokens from position `first` on."""
        cosine, sine = (one[first : first + len(heads)] for one in (self._cosine, self._sine))
        half = heads.shape[-1] // 2
        left, right = heads[..., :half], heads[..., half:]
        turned = np.empty_like(heads)
        turned[..., :half] = left * cosine - right * sine
        turned[..., half:] = right * cosine + left * sine
        return turned


class KeyValueCache:
    """Keys and values of one text in all layers.

    Attributes:
        tokens: tokens whose keys and values are complete.
    """

    def __init__(self, settings: NetworkSettings, layers: int, context: int):
        self._size, rows = settings, -(-context // _BLOCK) * _BLOCK
        # Keys are transposed: each head's are one operand of a matrix product.
        self._keys = np.zeros((layers, settings.key_heads, settings.width, rows), np.float32)
        self._values = np.zeros((layers, settings.key_heads, rows, settings.width), np.float32)
        self._scale = np.float32(settings.width**-0.5)
        self._places = np.arange(rows)
        self.tokens: list[int] = []

    @property
    def nbytes(self) -> int:
        return self._keys.nbytes + self._values.nbytes

    def keep(self, count: int) -> None:
        """Forget all tokens but the first `count`."""
        # Masked places are multiplied by 0, which only finite numbers withstand.
        if not np.isfinite(self._values[:, :, count : len(self.tokens)]).all():
            self._values[:, :, count:] = 0
            self._keys[..., count:] = 0
        del self.tokens[count:]

    def clear(self) -> None:
        """Forget everything, after a failure."""
        self._keys[:], self._values[:] = 0, 0
        self.tokens.clear()

    def attend(
        self, layer: int, query: np.ndarray, key: np.ndarray, value: np.ndarray, first: int
    ) -> np.ndarray:
        """Store keys and values of tokens from position `first` on, and mix the values up to each.

        Args:
            query: (tokens, heads, width).
            key, value: (tokens, key_heads, width).

        Returns:
            (tokens, heads * width) float32.
        """
        count, size = len(query), self._size
        self._keys[layer, :, :, first : first + count] = key.transpose(1, 2, 0)
        self._values[layer, :, first : first + count] = value.transpose(1, 0, 2)
        groups: np.ndarray = query.reshape(
            count, size.key_heads, size.heads // size.key_heads, size.width
        )
        if first // _BLOCK == (first + count - 1) // _BLOCK:
            whole: np.ndarray = self._mixed(layer, groups, first).reshape(count, -1)
            return whole
        parts, begin = list[np.ndarray](), 0
        while begin < count:
            end = min(count, begin + _BLOCK - (first + begin) % _BLOCK)
            parts.append(self._mixed(layer, groups[begin:end], first + begin))
            begin = end
        joined: np.ndarray = np.concatenate(parts).reshape(count, -1)
        return joined

    def _mixed(self, layer: int, groups: np.ndarray, first: int) -> np.ndarray:
        """Attend from tokens of one block of positions, (tokens, key_heads, group, width)."""
        seen = (first // _BLOCK + 1) * _BLOCK
        scores = groups @ self._keys[layer, :, :, :seen]
        scores *= self._scale
        later = self._places[:seen] > np.arange(first, first + len(groups))[:, None]
        scores[np.broadcast_to(later[:, None, None], scores.shape)] = -np.inf
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed: np.ndarray = scores @ self._values[layer, :, :seen]
        return mixed


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
