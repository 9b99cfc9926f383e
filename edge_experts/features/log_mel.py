"""Log-mel spectra of sound, the same bits on every machine by construction.

The discrete Fourier transform is a product with a matrix of whole numbers. All its sums are whole
numbers below 2**53, which float64 holds exactly, so the order in which a library adds them does
not matter. What follows is additions, multiplications and divisions of float64 in a fixed order,
each its own numpy call, and `exact_math`. The result is rounded to 1/256.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..format.limits import LIMITS
from .exact_math import cosines, logarithms, product, sines

GRID = 256  # values are multiples of 1 / GRID
# Samples are up to 2**15, and a Hann window of up to 2**11 has the sum 2**10: sums stay below
# 2**(15 + 10 + 26).
_FINE = 2.0**26
_MOST_FRAME = 2**11
_FLOOR = 1.0  # power of silence: below that of a sine of one step of 16 bits
_FRAME_MS, _HOP_MS = 32, 20
_LOWEST_HZ, _BANDS = 60, 40


@dataclass(frozen=True)
class LogMel:
    """Settings of the spectra of a window of sound.

    Attributes:
        rate: samples a second.
        samples: in the window.
        frame, hop: samples of a spectrum, a multiple of 4, and between two of them.
        bands: number of triangular mel bands.
        low, high: lower and upper end of the bands, in hertz.

    Raises:
        ValueError: a value is out of its range.
    """

    rate: int
    samples: int
    frame: int
    hop: int
    bands: int
    low: int
    high: int

    @classmethod
    def of(cls, rate: int, samples: int) -> LogMel:
        """The settings of this package for a rate: frames of 32 ms every 20 ms, 40 bands."""
        frame = rate * _FRAME_MS // 4000 * 4
        hop = rate * _HOP_MS // 1000
        return cls(rate, samples, frame, hop, _BANDS, _LOWEST_HZ, rate // 2)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> LogMel:
        """Restore.

        Raises:
            KeyError, TypeError, ValueError: the content is not that of `to_json`.
        """
        return cls(**content)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if type(value) is not int or value < 0:
                raise ValueError(f"{name} must be a whole number, got {value!r:.40}")
        if not 1000 <= self.rate <= LIMITS.sound_rate:
            raise ValueError(f"rate must be from 1000 to {LIMITS.sound_rate}, got {self.rate}")
        if self.frame % 4 or not 4 <= self.frame <= _MOST_FRAME:
            raise ValueError(f"frame must be a multiple of 4 up to {_MOST_FRAME}")
        if not self.frame <= self.samples <= LIMITS.sound_window:
            raise ValueError(f"samples must be from {self.frame} to {LIMITS.sound_window}")
        if not 1 <= self.hop <= self.samples:
            raise ValueError(f"hop must be from 1 to {self.samples}")
        if not 1 <= self.bands <= self.frame // 2:
            raise ValueError(f"bands must be from 1 to {self.frame // 2}")
        if not self.low < self.high <= self.rate // 2:
            raise ValueError(f"low must be below high, and high at most {self.rate // 2}")
        if self.shape[0] * self.bands > LIMITS.example_numbers:
            raise ValueError(f"more than {LIMITS.example_numbers} values; make the hop longer")

    @property
    def shape(self) -> tuple[int, int]:
        """Frames and bands."""
        return (1 + (self.samples - self.frame) // self.hop, self.bands)

    def apply(self, samples: np.ndarray) -> np.ndarray:
        """Compute the spectra of a window.

        Args:
            samples: (self.samples,) int16.

        Returns:
            (frames, bands) int16: the natural logarithm of 1 plus the power, times 256. The power
            is that of a Hann window of samples from -32,768 to 32,767.
        """
        power = self.transform.power(self._frames(samples))
        steps = np.rint(logarithms(self.transform.banded(power) + _FLOOR) * GRID)
        found: np.ndarray = steps.astype(np.int16)
        return found

    def _frames(self, samples: np.ndarray) -> np.ndarray:
        starts = np.arange(self.shape[0]) * self.hop
        return samples[starts[:, None] + np.arange(self.frame)].astype(np.float64)

    @property
    def transform(self) -> Transform:
        return _transform(self.rate, self.frame, self.bands, self.low, self.high)


@dataclass(frozen=True)
class Transform:
    """Matrices of a transform, made once for the settings.

    Attributes:
        cosine, sine: of half a frame, whole numbers: (frame / 2, bins) and (frame / 2 - 1, bins).
        starts, weights: of each band, the first bin and the weights from there on, (bands, width).
    """

    cosine: np.ndarray
    sine: np.ndarray
    starts: np.ndarray
    weights: np.ndarray

    def power(self, frames: np.ndarray) -> np.ndarray:
        """Squared absolute values of the transform of frames, (frames, bins)."""
        half = frames.shape[1] // 2
        # The window is symmetric, and 0 at the first sample: both halves share their products.
        first, last = frames[:, 1:half], frames[:, :half:-1]
        middle = frames[:, half : half + 1]
        real = product(np.concatenate([first + last, middle], axis=1), self.cosine) / _FINE
        imaginary = product(first - last, self.sine) / _FINE
        real *= real
        imaginary *= imaginary
        real += imaginary
        return real

    def banded(self, power: np.ndarray) -> np.ndarray:
        """Sum the power of each band, in the order of the bins, (frames, bands)."""
        found = np.zeros((len(power), len(self.starts)))
        for place in range(self.weights.shape[1]):
            part = power[:, self.starts + place]
            part *= self.weights[:, place]
            found += part
        return found


@lru_cache(maxsize=4)
def _transform(rate: int, frame: int, bands: int, low: int, high: int) -> Transform:
    half = frame // 2
    steps = np.arange(1, half + 1)
    window = (1 - cosines(steps, frame)) / 2
    starts, weights = _triangles(rate, frame, bands, low, high)
    bins = np.arange(half + 1)
    turns = steps[:, None] * bins
    cosine = np.rint(window[:, None] * cosines(turns, frame) * _FINE)
    sine = np.rint(window[:-1, None] * sines(turns[:-1], frame) * _FINE)
    return Transform(cosine, sine, starts, weights)


def _triangles(
    rate: int, frame: int, bands: int, low: int, high: int
) -> tuple[np.ndarray, np.ndarray]:
    """Bands that are triangles in mel, 1127 ln(1 + f / 700), of height 1 and equal widths.

    Returns:
        First bin of each band, (bands,) int64, and the weights from there on, (bands, width).
    """
    ends = logarithms(1 + np.array([low, high], np.float64) / 700)
    corners = ends[0] + np.arange(bands + 2) * ((ends[1] - ends[0]) / (bands + 1))
    bins = logarithms(1 + np.arange(frame // 2 + 1) * rate / frame / 700)
    rising = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    every = np.maximum(0, np.minimum(rising, falling))
    every[:, 0] = 0  # a constant is no sound
    width = max(1, int((every > 0).sum(axis=1).max()))
    starts = np.minimum((every > 0).argmax(axis=1), len(bins) - width)
    return starts, np.take_along_axis(every, starts[:, None] + np.arange(width), axis=1)
