"""Methods of comparisons by several scores, with a loss for each example."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import Interval, ModelResult, Scores


class SeveralScores:
    """Comparison by the losses of the same examples.

    Attributes:
        scores: keys of all scores, that of the primary one first.
    """

    scores: tuple[str, ...]

    def trained(self, metrics: Mapping[str, Any]) -> Scores:
        return {name: float(metrics[f"test_{name}"]) for name in self.scores}

    def paired(self, one: ModelResult, base: ModelResult) -> tuple[float, float]:
        """Difference of the mean losses; its error is from their spread over examples."""
        difference = np.array(base.losses) - np.array(one.losses)
        count = len(difference)
        spread = float(difference.std(ddof=1)) if count > 1 else math.inf
        # For two models with equal answers, rounding limits the certainty.
        return float(difference.mean()), max(spread / math.sqrt(count), 1e-6)

    def error(self, one: ModelResult, other: ModelResult) -> float:
        return self.paired(one, other)[1]

    def row(
        self, deployed: Sequence[Scores], trained: Sequence[Scores], interval: Interval | None
    ) -> dict[str, Any]:
        return {
            "scores": {
                name: round(statistics.mean(one[name] for one in deployed), 6)
                for name in self.scores
            },
            "score_interval": interval,
            "seed_scores": [dict(one) for one in deployed],
            "float_scores": [dict(one) for one in trained],
        }

    def candidate(self, scores: Scores) -> dict[str, Any]:
        return {"scores": dict(scores)}
