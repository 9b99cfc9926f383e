"""Differences between two models on the same examples, with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

_SURE = 1.65  # standard errors above nothing: one of twenty would be so by chance
_ALL = 100.0  # points of one example that one model gets right and the other wrong
_PARTS, _LEAST = 20, 5  # of consecutive examples; examples of a part


@dataclass(frozen=True)
class Gain:
    """A mean difference in points (hundredths of the score).

    Attributes:
        error: its standard error.
        low, high: its interval of 95 %, wider where the best of several candidates was chosen.
    """

    points: float
    error: float
    low: float
    high: float

    @property
    def errors(self) -> float:
        """The gain in standard errors."""
        return self.points / self.error if self.error else 0.0

    @property
    def is_sure(self) -> bool:
        """More than nothing, but for one chance in twenty."""
        return self.errors > _SURE

    def as_text(self) -> str:
        """ "+1.3 (95 %: 0.2 to 2.4)"."""
        return f"{self.points:+.1f} (95 %: {self.low:.1f} to {self.high:.1f})"

    def to_json(self) -> dict[str, float]:
        return {
            "points": round(self.points, 2),
            "low": round(self.low, 2),
            "high": round(self.high, 2),
        }


def gain(differences: np.ndarray, candidates: int = 1) -> Gain:
    """The mean of differences between two models' points, (examples,), in the data's order.

    Examples that follow each other may be of one person or one recording, and then they are right
    or wrong together: the error is that of the means of consecutive parts, where that is larger.

    Args:
        candidates: how many were compared, of which the best may have been chosen; the interval
            holds for all of them at once (Bonferroni).
    """
    count = len(differences)
    mean = float(np.mean(differences))
    # One more example is assumed on which they differ, so that few do not look like certainty.
    moved = differences[differences != 0]
    more = float(np.mean(moved**2)) if len(moved) else _ALL**2
    error = math.sqrt(float(np.sum((differences - mean) ** 2)) + more) / count
    parts = min(_PARTS, count // _LEAST)
    if parts > 1:
        means = np.array([part.mean() for part in np.array_split(differences, parts)])
        error = max(error, float(means.std(ddof=1)) / math.sqrt(parts))
    half = NormalDist().inv_cdf(1 - 0.025 / candidates) * error
    return Gain(mean, error, mean - half, mean + half)
