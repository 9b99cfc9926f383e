"""Confidence intervals over sessions: random variation between two measurements.

A session is a separate process. Times within a session are more alike than those of two sessions
(memory layout, other processes), so the unit of the statistics is the session, not the answer.
Sessions of one run follow each other closely and are more alike than those of two runs; so a run's
figure is considered no more certain than one session's, and the spread is not divided by their
number. Times vary by factors: all computations use logarithms.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

# Student's t, two-sided 95 %, for 1, 2, 3 ... degrees of freedom.
T_95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13)
_NORMAL = 2.0  # for more degrees of freedom


def student_t(freedom: float) -> float:
    """Return Student's t for these degrees of freedom, rounded down."""
    place = max(1, math.floor(freedom))
    return T_95[place - 1] if place <= len(T_95) else _NORMAL


def of_another_run(center: float, sessions: Sequence[float]) -> tuple[float, float]:
    """Compute the 95 % interval for the same figure of another run.

    It is the prediction interval of one more session. It does not account for a machine that became
    hotter or busier since.
    """
    if len(sessions) < 2:
        return 0.0, math.inf
    spread = statistics.stdev(map(math.log, sessions)) * math.sqrt(1 + 1 / len(sessions))
    half = student_t(len(sessions) - 1) * spread
    return center * math.exp(-half), center * math.exp(half)


def of_ratio(ratio: float, ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """Compute the 95 % interval of a ratio of two runs (degrees of freedom: Welch, 1947)."""
    if min(len(ours), len(theirs)) < 2:
        return 0.0, math.inf
    parts = [statistics.variance(map(math.log, sessions)) for sessions in (ours, theirs)]
    if not sum(parts):
        return ratio, ratio
    freedom = sum(parts) ** 2 / sum(
        part**2 / (len(sessions) - 1) for part, sessions in zip(parts, (ours, theirs), strict=True)
    )
    half = student_t(freedom) * math.sqrt(sum(parts))
    return ratio * math.exp(-half), ratio * math.exp(half)
