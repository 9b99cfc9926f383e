"""Row of a benchmark: one contender, and the summary of its times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from . import latency
from .bounds import Amount, Count, Interval, Length, Samples
from .contender import Contender
from .measure import growth, intervals
from .score import MOST, Accuracy, Chrf, Score
from .session import Session
from .throughput import Writing, writing

SPARSE, REFERENCE = "sparse experts", "reference loop"


@dataclass(frozen=True)
class Row:
    """One contender in the side-by-side table.

    `ratio` is the median over rounds of its median answer's time divided by the sparse bundle's in
    the same round; the two are only compared within a round. Intervals are those for the same
    figure of another run, see `intervals.of_another_run`. `resident_bytes` are the files that must
    be in memory for an answer; their memory is `growth`. `generation` is the throughput of text
    generation; None without it. `scores` are all scores by name; two of them are `accuracy` and
    `chrf` too, as before schema 1.3.
    """

    name: str
    warm: latency.Latency
    p50_interval_us: Interval
    ratio: Amount
    ratio_interval: Interval
    difference_us: float
    total_bytes: Count
    resident_bytes: Count
    accuracy: Accuracy | None
    growth: growth.Growth | None  # None: it uses the sparse bundle's files
    session_p50_us: Samples
    session_ratio: Samples
    input_p50_us: Samples
    generation: Writing | None = None
    chrf: Chrf | None = None
    scores: Annotated[dict[str, Score], Length(0, MOST)] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, one in (("accuracy", self.accuracy), ("chrF", self.chrf)):
            if one is not None:
                self.scores.setdefault(name, one.score)


def row(
    name: str, sessions: Sequence[Session], contender: Contender, grown: growth.Growth | None
) -> Row:
    """Summarize a contender's times in all sessions."""
    medians = [np.median(one.times[name], axis=1) for one in sessions]
    ours = [np.median(one.times[SPARSE], axis=1) for one in sessions]
    everything = all_times(sessions, name)
    session_p50 = tuple(round(float(np.median(one.times[name])), 3) for one in sessions)
    session_ratio = tuple(
        round(float(np.median(theirs / base)), 5)
        for theirs, base in zip(medians, ours, strict=True)
    )
    warm = latency.summarize(everything)
    ratio = float(np.median(np.concatenate(medians) / np.concatenate(ours)))
    by_input = np.median(np.concatenate([one.times[name] for one in sessions]), axis=0)
    return Row(
        name=name,
        warm=warm,
        p50_interval_us=_rounded(intervals.of_another_run(warm.total_us["p50"], session_p50), 2),
        ratio=round(ratio, 4),
        ratio_interval=_rounded(intervals.of_another_run(ratio, session_ratio), 4),
        difference_us=round(float(np.median(np.concatenate(medians) - np.concatenate(ours))), 2),
        total_bytes=contender.total_bytes,
        resident_bytes=contender.resident_bytes,
        accuracy=contender.accuracy,
        growth=grown,
        session_p50_us=session_p50,
        session_ratio=session_ratio,
        input_p50_us=tuple(round(float(value), 2) for value in by_input),
        generation=writing(name, SPARSE if name == REFERENCE else name, sessions),
        chrf=contender.chrf,
        scores=dict(contender.scores),
    )


def all_times(sessions: Sequence[Session], name: str) -> np.ndarray:
    """Return the microseconds of every answer."""
    return np.concatenate([one.times[name].ravel() for one in sessions])


def _rounded(interval: tuple[float, float], digits: int) -> tuple[float, float]:
    return round(interval[0], digits), round(interval[1], digits)
