"""Gains of experts over seeds and test rows, with intervals, as a table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_experts.experiments.comparison.results import of_mean

from .measurement_records import Measurement

_DRAWS = 2000
_HEADER = (
    *("set", "kind", "rows", "test", "experts", "sparse", "dense", "gain"),
    *("95 % over seeds", "95 % over rows", "minutes", "verdict"),
)
Interval = tuple[float, float]


@dataclass(frozen=True)
class SetGain:
    """Experts against the dense network of equal active size on one set; scores in points.

    Attributes:
        over_seeds: Student's t of the seeds' gains; None of one seed.
        over_rows: a bootstrap of the test rows: each draw takes the same rows for both models and
            for all seeds, and a row counts by its mean over the seeds.
    """

    name: str
    kind: str
    seeds: int
    train_rows: int
    test_rows: int
    experts: tuple[int, ...]
    sparse: float
    dense: float
    gain: float
    over_seeds: Interval | None
    over_rows: Interval
    minutes: float

    @property
    def verdict(self) -> str:
        """State on which side of zero the intervals lie; "?" if only one of them does."""
        intervals = [self.over_rows, *([self.over_seeds] if self.over_seeds else [])]
        below = sum(high < 0 for _, high in intervals)
        above = sum(low > 0 for low, _ in intervals)
        if not below and not above:
            return "equal"
        word = "worse" if below else "better"
        return word if max(below, above) == len(intervals) else f"{word}?"


def gains(measurements: Sequence[Measurement]) -> list[SetGain]:
    """Summarize the measurements, one gain for each set, in the order of their first lines."""
    names = dict.fromkeys(one.name for one in measurements)
    return [_gain([one for one in measurements if one.name == name]) for name in names]


def as_table(found: Sequence[SetGain]) -> list[list[str]]:
    """Build one row for each set."""
    return [list(_HEADER), *(_row(gain) for gain in found)]


def _gain(seeds: Sequence[Measurement]) -> SetGain:
    first = seeds[0]
    by_row = 100 * np.mean([one.losses for one in seeds], axis=0)
    by_seed = [100 * (one.sparse.score - one.dense.score) for one in seeds]
    return SetGain(
        name=first.name,
        kind=first.kind,
        seeds=len(seeds),
        train_rows=first.train_rows,
        test_rows=first.test_rows,
        experts=tuple(one.sparse.experts for one in seeds),
        sparse=100 * statistics.mean(one.sparse.score for one in seeds),
        dense=100 * statistics.mean(one.dense.score for one in seeds),
        gain=statistics.mean(by_seed),
        over_seeds=of_mean(by_seed),
        over_rows=_bootstrap(by_row),
        minutes=sum(one.sparse.seconds + one.dense.seconds for one in seeds) / 60,
    )


def _bootstrap(by_row: np.ndarray) -> Interval:
    """Return the middle 95 % of the means of rows drawn with replacement."""
    draw = np.random.default_rng(0)
    means = [by_row[draw.integers(len(by_row), size=len(by_row))].mean() for _ in range(_DRAWS)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def _row(gain: SetGain) -> list[str]:
    return [
        gain.name,
        gain.kind,
        f"{gain.train_rows:,}",
        f"{gain.test_rows:,}",
        " ".join(map(str, gain.experts)),
        f"{gain.sparse:.2f}",
        f"{gain.dense:.2f}",
        f"{gain.gain:+.2f}",
        _interval(gain.over_seeds) if gain.over_seeds else "-",
        _interval(gain.over_rows),
        f"{gain.minutes:.1f}",
        gain.verdict,
    ]


def _interval(interval: Interval) -> str:
    return f"{interval[0]:+.2f} to {interval[1]:+.2f}"
