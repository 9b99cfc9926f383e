"""Throughput of contenders that generate text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import latency
from .bounds import Amount, Count, Interval, Samples
from .measure import intervals
from .session import Session


@dataclass(frozen=True)
class Writing:
    """Throughput in tokens of the contender's vocabulary, including the end tokens.

    Attributes:
        tokens: of one round, in which every input is answered once.
        tokens_per_second: of whole answers, the median over rounds; the interval is that for
            another run.
        first_token: from the question to the first token; None for the reference loop, which only
            returns whole answers.
    """

    tokens: Count
    session_tokens_per_second: Samples
    tokens_per_second: Amount
    tokens_per_second_interval: Interval
    first_token: latency.Latency | None


def writing(name: str, written_by: str, sessions: Sequence[Session]) -> Writing | None:
    """Summarize a contender's throughput in all sessions; None if it chooses labels.

    Args:
        written_by: the contender with the same answers whose tokens count; usually itself.
    """
    tokens = next((one.tokens[written_by] for one in sessions if written_by in one.tokens), None)
    if tokens is None:
        return None
    count = int(tokens.sum())
    speeds = [1e6 * count / one.times[name].sum(axis=1) for one in sessions]
    each = tuple(round(float(np.median(one)), 3) for one in speeds)
    median = round(float(np.median(np.concatenate(speeds))), 3)
    low, high = intervals.of_another_run(median, each)
    told = [one.first_us[name].ravel() for one in sessions if name in one.first_us]
    return Writing(
        tokens=count,
        tokens_per_second=median,
        tokens_per_second_interval=(round(low, 3), round(high, 3)),
        session_tokens_per_second=each,
        first_token=latency.summarize(np.concatenate(told)) if told else None,
    )
