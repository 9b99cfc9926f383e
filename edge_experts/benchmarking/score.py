"""Scores of a bundle as deployed, which its maker measured on the converted files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from ..format.strict_json import deceives
from .bounds import LARGEST, Interval, Positive, Share, Within

# Of the names that are known; scores of other names are taken to be better the higher they are.
_LOWER_IS_BETTER = frozenset({"loss", "mae", "mse", "perplexity", "rmse"})
_NORMAL_95 = 1.96
MOST = 16  # scores of a bundle
_CHARACTERS = 40  # of a score's name


@dataclass(frozen=True)
class Score:
    """One score.

    Attributes:
        examples: how many it was measured on.
        of: what those are.
        interval: 95 %, by the number of examples; None where it is not known.
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
    """Share of test examples that the deployed files answer right."""

    accuracy: Share
    examples: Positive

    @property
    def score(self) -> Score:
        variance = max(0.0, self.accuracy * (1 - self.accuracy) / max(1, self.examples))
        half = _NORMAL_95 * math.sqrt(variance)
        interval = self.accuracy - half, self.accuracy + half
        return Score(self.accuracy, self.examples, interval=interval)


@dataclass(frozen=True)
class Chrf:
    """chrF of the deployed files on validation sentences."""

    chrf: Annotated[float, Within(0, 100)]
    sentences: Positive

    @property
    def score(self) -> Score:
        return Score(self.chrf, self.sentences, "validation sentences")


def primary(scores: Mapping[str, Score]) -> str | None:
    """The name of the score to draw: the first that is better the higher it is."""
    return next((name for name, one in scores.items() if one.higher_is_better), None) or next(
        iter(scores), None
    )


def read_accuracy(provenance: Mapping[str, Any]) -> Accuracy | None:
    """The accuracy that a manifest's provenance, which may say anything, has."""
    accuracy: Any = provenance.get("test_accuracy")
    examples: Any = provenance.get("test_examples")
    if _number(accuracy, 0, 1) and _positive(examples):
        return Accuracy(float(accuracy), examples)
    return None


def read_chrf(provenance: Mapping[str, Any]) -> Chrf | None:
    """Likewise, of what translates."""
    proven: Any = provenance.get("validation")
    proven = proven if isinstance(proven, dict) else {}
    scores, sentences = proven.get("deployed"), proven.get("examples")
    chrf: Any = scores.get("chrf") if isinstance(scores, dict) else None
    if _number(chrf, 0, 100) and _positive(sentences):
        return Chrf(float(chrf), sentences)
    return None


def read_scores(provenance: Mapping[str, Any]) -> dict[str, Score]:
    """The numbers among `test_scores`, whatever the task calls them."""
    told: Any = provenance.get("test_scores")
    examples: Any = provenance.get("test_examples")
    if not isinstance(told, dict) or not _positive(examples):
        return {}
    known = [(name, value) for name, value in told.items() if _number(value, -LARGEST, LARGEST)]
    return {
        name: Score(float(value), examples, higher_is_better=name not in _LOWER_IS_BETTER)
        for name, value in known[:MOST]
        if 0 < len(name) <= _CHARACTERS and not deceives(name)
    }


def _number(value: Any, least: float, most: float) -> bool:
    return type(value) in (int, float) and least <= value <= most


def _positive(value: Any) -> bool:
    return type(value) is int and value > 0
