"""A comparison, as `edge-experts compare` writes it for the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from ..bounds import Count, Interval, Length, Positive, Share
from ..score import MOST

ACCURACY = "accuracy"


@dataclass(frozen=True)
class ComparedRow:
    """A contender; intervals are None of one seed.

    Attributes:
        scores: means over seeds by name; where there is an accuracy, that alone.
        score_interval: of the score that the comparison names.
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
        """95 %, of the score that the comparison names."""
        return self.accuracy_interval or self.score_interval


@dataclass(frozen=True)
class ComparedVerdict:
    sentences: Annotated[tuple[str, ...], Length(0, 100)]


@dataclass(frozen=True)
class Compared:
    """The part of comparison.json that the page shows.

    Attributes:
        score: the name of the score that rows are compared by.
    """

    data: str
    seeds: Annotated[tuple[Count, ...], Length(1, 64)]
    examples: Positive
    rows: Annotated[tuple[ComparedRow, ...], Length(1, 64)]
    verdict: ComparedVerdict
    command: str = ""  # empty where the file does not say
    score: str = ACCURACY

    def __post_init__(self) -> None:
        for place, row in enumerate(self.rows):
            if self.score not in row.scores:
                raise ValueError(f"rows[{place}]: {self.score} must be a number, is missing")
