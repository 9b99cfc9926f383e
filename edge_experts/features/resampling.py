"""Resampling of sound by a ratio of whole numbers, the same bits on every machine.

A low-pass filter of whole numbers is applied at the places of the new samples. Its sums are whole
numbers below 2**53, exact in float64 in any order. The filter is a sinc of 16 zeros on each side
under a Hann window, with its edge at 0.45 of the lower rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .exact_math import cosines, product, sines

_ZEROS = 16
_EDGE = 9  # twentieths of the lower rate
_FINE = 2**24
_FINEST = 1000  # largest term of a ratio
_BLOCK = 2**17  # numbers that are multiplied at once
_LOW, _HIGH = -(2**15), 2**15 - 1


class Resampler:
    """Converts a stream of samples to another rate, block by block; the blocks do not matter.

    The first new sample is at the time of the first old one. Before the stream and after it there
    is silence. Ratios are reduced to terms of at most 1,000, which changes odd rates by less than
    0.1 %.

    Args:
        rate, wanted: samples a second.
    """

    def __init__(self, rate: int, wanted: int):
        self._filter = _filter(rate, wanted)
        self._kept = np.zeros(self._filter.reach - 1, np.int16)
        self._fed = self._made = 0  # old and new samples so far

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Convert the next samples, (n,) int16; returns those that can be made, int16."""
        up, down, matrix = self._filter.up, self._filter.down, self._filter.matrix
        if up == down:
            return samples
        self._fed += len(samples)
        self._kept = np.concatenate([self._kept, samples])
        blocks = (len(self._kept) - len(matrix)) // down + 1
        if blocks <= 0:
            return self._kept[:0]
        parts = sliding_window_view(self._kept, len(matrix))[::down]
        made = np.empty((blocks, up), np.int16)
        for start in range(0, blocks, step := 1 + _BLOCK // len(matrix)):
            sums = product(parts[start : start + step].astype(np.float64), matrix)
            made[start : start + step] = np.clip(np.rint(sums / _FINE), _LOW, _HIGH)
        self._kept = self._kept[blocks * down :]
        self._made += made.size
        return made.reshape(-1)

    def finish(self) -> np.ndarray:
        """Return the new samples up to the end of the stream."""
        up, down = self._filter.up, self._filter.down
        missing = -(-self._fed * up // down) - self._made
        return self.feed(np.zeros(len(self._filter.matrix) + down, np.int16))[: max(0, missing)]


@dataclass(frozen=True)
class _Filter:
    """A filter that makes `up` new samples of every `down` old ones.

    Attributes:
        reach: old samples that count before and after a new one.
        matrix: whole weights, (down + 2 * reach - 1, up) float64, of the old samples from
            `reach - 1` before the first of the `down` ones.
    """

    up: int
    down: int
    reach: int
    matrix: np.ndarray


@lru_cache(maxsize=4)
def _filter(rate: int, wanted: int) -> _Filter:
    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    if max(up, down) > _FINEST:
        up, down = _nearest(rate, wanted)
    # Zeros of the sinc are `zero / fine` steps apart, of which there are `up` between old samples.
    zero, fine = 10 * max(up, down), up * _EDGE
    reach = -(-_ZEROS * zero // fine)
    new, old = np.arange(up), np.arange(1 - reach, down + reach)
    away = (old[:, None] * up - new * down) * _EDGE
    inside = abs(away) < _ZEROS * zero
    at_zero = away == 0
    sinc = sines(away, 2 * zero) * zero / (np.where(at_zero, 1, away) * math.pi)
    window = (1 + cosines(away, 2 * _ZEROS * zero)) / 2
    weights = np.where(inside, np.where(at_zero, 1.0, sinc) * window, 0.0)
    # The weights of a new sample have a sum of 1, so that a constant stays one. cumsum adds in
    # order.
    return _Filter(up, down, reach, np.rint(weights / np.cumsum(weights, axis=0)[-1] * _FINE))


def _nearest(rate: int, wanted: int) -> tuple[int, int]:
    """Nearest ratio wanted / rate whose terms are at most `_FINEST`, by whole numbers."""
    from fractions import Fraction

    if wanted > rate:
        found = 1 / Fraction(rate, wanted).limit_denominator(_FINEST)
    else:
        found = Fraction(wanted, rate).limit_denominator(_FINEST)
    return found.numerator, found.denominator
