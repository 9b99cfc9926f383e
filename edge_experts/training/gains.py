"""Differences between two models on the same examples, with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

_SURE = 1.65  # standard errors above zero: one in twenty by chance
_ALL = 100.0  # points of an example that only one model gets right
_PARTS, _LEAST = 20, 5  # number of consecutive parts; fewest examples of a part


@dataclass(frozen=True)
class Gain:
    """A mean difference in points (hundredths of the score).

    Attributes:
        error: standard error.
        low, high: 95 % interval, wider if the best of several candidates was chosen.
    """

    points: float
    error: float
    low: float
    high: float

    @property
    def errors(self) -> float:
        """Gain in standard errors."""
        return self.points / self.error if self.error else 0.0

    @property
    def is_sure(self) -> bool:
        """True if the gain is significantly above zero (one-sided 5 %)."""
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
    """Mean difference between two models' points, (examples,), in the data's order.

    Consecutive examples may be of one person or recording, and then correlate: the error is that of
    the means of consecutive parts, if that is larger.

    Args:
        candidates: number of compared candidates, of which the best may have been chosen; the
            interval holds for all of them at once (Bonferroni).
    """
    count = len(differences)
    mean = float(np.mean(differences))
    # One more differing example is assumed, so that few examples do not seem certain.
    moved = differences[differences != 0]
    more = float(np.mean(moved**2)) if len(moved) else _ALL**2
    error = math.sqrt(float(np.sum((differences - mean) ** 2)) + more) / count
    parts = min(_PARTS, count // _LEAST)
    if parts > 1:
        means = np.array([part.mean() for part in np.array_split(differences, parts)])
        error = max(error, float(means.std(ddof=1)) / math.sqrt(parts))
    half = NormalDist().inv_cdf(1 - 0.025 / candidates) * error
    return Gain(mean, error, mean - half, mean + half)
