"""Results of a comparison, with intervals over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...benchmarking.measure.intervals import student_t
from ..tasks import ComparedTask, ModelResult, Scores, task_named
from .contenders import DENSE_ACTIVE, DENSE_ALL, DENSE_BUCKETS, SPARSE

SCHEMA_VERSION = "1.1"
_LEAST_GAP = 0.01  # smallest gap between the dense networks of which a share is reported

Interval = tuple[float, float]


@dataclass(frozen=True)
class SeedResult:
    """Results of one contender for one seed, as deployed.

    Attributes:
        scores: as deployed; `float_scores` are those of the Keras model.
        losses: loss of each test example, if the task compares examples.
    """

    scores: Scores
    float_scores: Scores
    examples: int
    macs: int
    total_bytes: int
    compressed_bytes: int  # size of all files, each deflated: only here zeros save bytes
    resident_bytes: int
    quantization: str
    losses: tuple[float, ...] = ()

    @property
    def outcome(self) -> ModelResult:
        return ModelResult(self.scores, self.examples, self.losses)


@dataclass(frozen=True)
class ComparisonRow:
    """Results of one contender for all seeds; `primary` is the key of the primary score."""

    name: str
    seeds: tuple[SeedResult, ...]
    primary: str = "accuracy"

    @property
    def by_seed(self) -> tuple[float, ...]:
        """Primary score of each seed."""
        return tuple(one.scores[self.primary] for one in self.seeds)

    @property
    def score(self) -> float:
        return self.mean(self.primary)

    @property
    def interval(self) -> Interval | None:
        return of_mean(self.by_seed)

    @property
    def float_score(self) -> float:
        return statistics.mean(one.float_scores[self.primary] for one in self.seeds)

    def mean(self, name: str) -> float:
        """Mean of a score over seeds."""
        return statistics.mean(one.scores[name] for one in self.seeds)

    @property
    def costs(self) -> SeedResult:
        """Costs of the first seed: seeds differ in scores, and by a few bytes."""
        return self.seeds[0]


@dataclass(frozen=True)
class Comparison:
    """All rows of a comparison.

    Attributes:
        trained_on: number of training examples.
        quick: True if those are a part of the data.
        unavailable: contenders that are not supported here, with the reason.
    """

    data: str
    trained_on: int
    quick: bool
    quantization: str
    seeds: tuple[int, ...]
    rows: tuple[ComparisonRow, ...]
    unavailable: dict[str, str]
    task_type: str = "classification"

    @property
    def task(self) -> ComparedTask:
        return task_named(self.task_type)

    @property
    def examples(self) -> int:
        """Number of test examples that the rows are evaluated on."""
        return self.rows[0].costs.examples

    def row(self, name: str) -> ComparisonRow | None:
        return next((row for row in self.rows if row.name == name), None)

    def gains(self, row: ComparisonRow, over: ComparisonRow) -> tuple[float, ...]:
        """Gain of `row` over `over` in the primary score, seed by seed."""
        return tuple(a - b for a, b in zip(row.by_seed, over.by_seed, strict=True))

    @property
    def everything(self) -> ComparisonRow | None:
        """The better, by its mean, of the dense networks with all experts' parameters."""
        rows = filter(None, map(self.row, (DENSE_ALL, DENSE_BUCKETS)))
        return max(rows, key=lambda row: row.score, default=None)

    @property
    def gap(self) -> float | None:
        """Gap between the better dense all and dense active; None if too small to be a measure."""
        active, everything = self.row(DENSE_ACTIVE), self.everything
        if active is None or everything is None:
            return None
        gap = everything.score - active.score
        return None if gap < _LEAST_GAP else gap

    def gap_closed(self, row: ComparisonRow | None) -> float | None:
        """Share of the gap: (row - dense active) / (the better dense all - dense active)."""
        active = self.row(DENSE_ACTIVE)
        if self.gap is None or row is None or active is None:
            return None
        return statistics.mean(self.gains(row, active)) / self.gap

    def gap_interval(self, row: ComparisonRow | None) -> Interval | None:
        """95 % confidence interval of the gap closed over seeds; the gap is its mean."""
        active = self.row(DENSE_ACTIVE)
        if self.gap is None or row is None or active is None:
            return None
        return of_mean([gain / self.gap for gain in self.gains(row, active)])

    def to_json(self) -> dict[str, Any]:
        sparse = self.row(SPARSE)
        return {
            "schema_version": SCHEMA_VERSION,
            **self.task.heading(),
            "data": self.data,
            "trained_on": self.trained_on,
            "examples": self.examples,
            "quick": self.quick,
            "quantization": self.quantization,
            "seeds": list(self.seeds),
            "rows": [self._row_json(row) for row in self.rows],
            "unavailable": [
                {"name": name, "reason": reason} for name, reason in self.unavailable.items()
            ],
            "gap_closed": self.gap_closed(sparse),
            "gap_closed_interval": self.gap_interval(sparse),
        }

    def _row_json(self, row: ComparisonRow) -> dict[str, Any]:
        return {
            "name": row.name,
            **self.task.row(
                [one.scores for one in row.seeds],
                [one.float_scores for one in row.seeds],
                row.interval,
            ),
            "quantization": row.costs.quantization,
            "macs": row.costs.macs,
            "total_bytes": row.costs.total_bytes,
            "compressed_bytes": row.costs.compressed_bytes,
            "resident_bytes": row.costs.resident_bytes,
            "gap_closed": self.gap_closed(row),
            "gap_closed_interval": self.gap_interval(row),
        }


def of_mean(values: Sequence[float]) -> Interval | None:
    """95 % confidence interval of a mean (Student's t); None for one value."""
    if len(values) < 2:
        return None
    half = student_t(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.mean(values)
    return mean - half, mean + half
