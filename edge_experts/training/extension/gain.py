"""Gain of an extension on test examples, in points with an interval.

The validation examples have chosen the best epoch and the best candidate, so that on few of them
even an expert that learned random labels gains something.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..model import SparseExperts
from ..objectives.routed_task import RoutedTask
from .teaching import Part, answers

_DRAWN, _SURE = 1000, 95  # samples of a bootstrap; percent of them in the interval


@dataclass(frozen=True)
class Gain:
    """Difference of the primary score after and before, on the same examples.

    Attributes:
        points: hundredths of accuracy, or of R2.
        low, high: limits of its 95 % interval, by the paired bootstrap (Efron, 1979).
        examples: how many there are.
    """

    points: float
    low: float
    high: float
    examples: int

    @classmethod
    def between(
        cls, task: RoutedTask, before: SparseExperts, after: SparseExperts, part: Part
    ) -> Gain:
        """Gain of a model over another one on a part's examples."""
        outputs = [answers(model, part.inputs) for model in (before, after)]
        count = len(part.targets)

        def points(rows: np.ndarray) -> float:
            old, new = (
                task.scores(each[rows], part.targets[rows])[task.primary] for each in outputs
            )
            return float(np.nan_to_num(100 * (new - old)))  # R2 of one row is not defined

        random = np.random.default_rng(0)
        drawn = [points(random.integers(count, size=count)) for _ in range(_DRAWN)]
        tail = (100 - _SURE) / 2
        low, high = np.percentile(drawn, [tail, 100 - tail])
        return cls(
            round(points(np.arange(count)), 2), round(float(low), 2), round(float(high), 2), count
        )
