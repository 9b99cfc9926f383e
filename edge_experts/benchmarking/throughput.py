"""How fast a contender writes, of bundles whose experts do."""

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
    """Tokens are the pieces of its vocabulary, with the ends of answers.

    Attributes:
        tokens: of one round, in which every input is asked once.
        tokens_per_second: of whole answers, the median over rounds; the interval says where that of
            another run lies.
        first_token: from the question to the first token; None of the reference loop, which tells
            its answer only.
    """

    tokens: Count
    session_tokens_per_second: Samples
    tokens_per_second: Amount
    tokens_per_second_interval: Interval
    first_token: latency.Latency | None


def writing(name: str, written_by: str, sessions: Sequence[Session]) -> Writing | None:
    """What a contender wrote in all sessions; None where it chooses labels.

    Args:
        written_by: the contender whose answers it gives too, itself if nobody's.
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
