"""Scores of a bundle as deployed, measured on its converted files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from ..runtime.tasks.base import DeployedScores
from .bounds import Interval, Positive, Share, Within

# Among the known names; for scores of other names, higher is assumed to be better.
_LOWER_IS_BETTER = frozenset({"false_alarm_rate", "loss", "mae", "mse", "perplexity", "rmse"})
_NORMAL_95 = 1.96
_BOUNDS = {
    "accuracy": (0.0, 1.0),
    "auroc": (0.0, 1.0),
    "chrF": (0.0, 100.0),
    "chrf": (0.0, 100.0),
    "f1_macro": (0.0, 1.0),
    "f1_micro": (0.0, 1.0),
    "r2": (-math.inf, 1.0),
}
MOST = 16  # scores of a bundle


@dataclass(frozen=True)
class Score:
    """One score.

    Attributes:
        examples: number of examples on which it was measured.
        of: their kind.
        interval: 95 %, by the number of examples; None if unknown.
    """

    value: float
    examples: Positive
    of: str = "test examples"
    higher_is_better: bool = True
    interval: Interval | None = None

    @property
    def text(self) -> str:
        return f"{self.value:.4f}" if abs(self.value) <= 1 else f"{self.value:,.2f}"


@dataclass(frozen=True)
class Accuracy:
    """Share of test examples that the deployed files answer correctly."""

    accuracy: Share
    examples: Positive

    @property
    def score(self) -> Score:
        variance = max(0.0, self.accuracy * (1 - self.accuracy) / max(1, self.examples))
        half = _NORMAL_95 * math.sqrt(variance)
        interval = within_bounds("accuracy", (self.accuracy - half, self.accuracy + half))
        return Score(self.accuracy, self.examples, interval=interval)


@dataclass(frozen=True)
class Chrf:
    """chrF of the deployed files on validation sentences."""

    chrf: Annotated[float, Within(0, 100)]
    sentences: Positive

    @property
    def score(self) -> Score:
        return Score(self.chrf, self.sentences, "validation sentences")


def within_bounds(name: str, interval: Interval | None) -> Interval | None:
    """Cut an interval to the range of the score: no accuracy is above 1."""
    if interval is None or name not in _BOUNDS:
        return interval
    least, most = _BOUNDS[name]
    return max(least, interval[0]), min(most, interval[1])


def primary(scores: Mapping[str, Score]) -> str | None:
    """Name the score to draw: the first one for which higher is better."""
    return next((name for name, one in scores.items() if one.higher_is_better), None) or next(
        iter(scores), None
    )


def accuracy(deployed: DeployedScores | None) -> Accuracy | None:
    """Return the accuracy, for a task that has one."""
    if deployed is None or "accuracy" not in deployed.scores:
        return None
    return Accuracy(deployed.scores["accuracy"], deployed.examples)


def chrf(deployed: DeployedScores | None) -> Chrf | None:
    """Return the chrF, for a task that has one."""
    if deployed is None or "chrf" not in deployed.scores:
        return None
    return Chrf(deployed.scores["chrf"], deployed.examples)


def others(deployed: DeployedScores | None) -> dict[str, Score]:
    """Return all other scores, by the task's names for them."""
    if deployed is None:
        return {}
    return {
        name: Score(value, deployed.examples, higher_is_better=name not in _LOWER_IS_BETTER)
        for name, value in list(deployed.scores.items())[:MOST]
        if name not in ("accuracy", "chrf")
    }
