"""Result of `edge-experts compare`, as the HTML page shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from ..bounds import Count, Interval, Length, Positive, Share
from ..score import MOST

ACCURACY = "accuracy"


@dataclass(frozen=True)
class ComparedRow:
    """One contender; intervals are None for a single seed.

    Attributes:
        scores: means over seeds by name; only the accuracy, if there is one.
        score_interval: of the score that the comparison uses.
    """

    name: str
    quantization: str
    macs: Count
    total_bytes: Count
    resident_bytes: Count
    gap_closed: float | None = None
    accuracy: Share | None = None
    accuracy_interval: Interval | None = None
    scores: Annotated[dict[str, float], Length(0, MOST)] = field(default_factory=dict)
    score_interval: Interval | None = None

    def __post_init__(self) -> None:
        if self.accuracy is not None:
            self.scores.setdefault(ACCURACY, self.accuracy)

    @property
    def interval(self) -> Interval | None:
        """95 % interval of the score that the comparison uses."""
        return self.accuracy_interval or self.score_interval


@dataclass(frozen=True)
class ComparedVerdict:
    sentences: Annotated[tuple[str, ...], Length(0, 100)]


@dataclass(frozen=True)
class Compared:
    """Part of comparison.json that the page shows.

    Attributes:
        score: the name of the score by which rows are compared.
    """

    data: str
    seeds: Annotated[tuple[Count, ...], Length(1, 64)]
    examples: Positive
    rows: Annotated[tuple[ComparedRow, ...], Length(1, 64)]
    verdict: ComparedVerdict
    command: str = ""  # empty if the file does not state it
    score: str = ACCURACY

    def __post_init__(self) -> None:
        for place, row in enumerate(self.rows):
            if self.score not in row.scores:
                raise ValueError(f"rows[{place}]: {self.score} must be a number, is missing")
