"""Verdict on whether sparse experts pay on a data set, in words, from a comparison."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from ..advice.advice_verdict import WORTH
from .contenders import DENSE_ACTIVE, DENSE_BUCKETS, HASH, RANDOM, SPARSE
from .results import Comparison, ComparisonRow, Interval, of_mean

_NORMAL_95 = 1.96


@dataclass(frozen=True)
class Verdict:
    """Verdict in sentences; `pays` is None if the sparse experts are not among the rows."""

    pays: bool | None
    sentences: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"sparse_pays": self.pays, "sentences": list(self.sentences)}


def judge(result: Comparison) -> Verdict:
    """Compare sparse experts with the dense network of equal cost, and with simpler routers.

    A gain is significant if its 95 % interval is above zero. The interval is over seeds, or, for
    one seed, over the test examples.
    """
    gap = _gap(result)
    sparse, active = result.row(SPARSE), result.row(DENSE_ACTIVE)
    if sparse is None or active is None:
        return Verdict(None, gap)
    gain, (low, high) = difference(result, sparse, active)
    points = result.task.points
    measured = f"{_points(gain)} {points} (95 %: {_points(low)} to {_points(high)}{_by(result)})"
    if low > 0:
        word = "Sparse experts pay here" if gain >= WORTH else "Sparse experts gain a little here"
        first = f"{word}: {measured} over the dense network of the same active size."
        more = [] if gain >= WORTH else ["Half a point hardly justifies the larger files."]
    else:
        first = (
            f"Sparse experts do not pay here: {measured} over the dense network of the same "
            f"active size{', which is not significant' if high > 0 else ''}."
        )
        more = [_instead(result)]
        if gain > 0:
            more.append(_surer(result))
    return Verdict(low > 0 and gain >= WORTH, (first, *more, *gap, *_routing(result, sparse)))


def difference(
    result: Comparison, row: ComparisonRow, other: ComparisonRow
) -> tuple[float, Interval]:
    """Return the gain of one row's primary score over another's, and its 95 % interval.

    For one seed the interval is over the test examples, by the task's standard error.
    """
    gains = result.gains(row, other)
    mean, interval = statistics.mean(gains), of_mean(gains)
    if interval is None:
        half = _NORMAL_95 * result.task.error(row.costs.outcome, other.costs.outcome)
        interval = mean - half, mean + half
    return mean, interval


def _gap(result: Comparison) -> tuple[str, ...]:
    active, everything = result.row(DENSE_ACTIVE), result.everything
    if active is None or everything is None:
        return ()
    if result.gap is None:
        return (
            "The dense network with all parameters is less than one point better than the small "
            "one: there is no gap for experts to close.",
        )
    sparse = result.row(SPARSE)
    closed, interval = result.gap_closed(sparse), result.gap_interval(sparse)
    if closed is None:
        return ()
    shown = "" if interval is None else f" (95 %: {interval[0]:.2f} to {interval[1]:.2f})"
    return (
        f"They close {closed:.2f} of the gap between the two dense networks{shown}, which is "
        f"{_points(result.gap)} {result.task.points}.",
    )


def _instead(result: Comparison) -> str:
    """Recommendation where experts do not pay."""
    everything = result.everything
    small = "`edge-experts train --dense active`"
    if result.gap is None or everything is None:
        return f"Use a dense network: {small}."
    costs = everything.costs
    large = "buckets" if everything.name == DENSE_BUCKETS else "all"
    return (
        f"Use a dense network: {small}, or `--dense {large}` where "
        f"{costs.resident_bytes / 1000:,.0f} kB in memory and {costs.macs:,} multiply-adds an "
        "answer are affordable."
    )


def _surer(result: Comparison) -> str:
    more = "3" if len(result.seeds) < 3 else "5 or more"
    return (
        f"More seeds (`edge-experts compare` with --seeds {more}) may show whether the gain is "
        "significant."
    )


def _routing(result: Comparison, sparse: ComparisonRow) -> list[str]:
    """Sentences on routers that do not use the content, where they are about as good."""
    sentences = []
    for name, how in ((RANDOM, "at random"), (HASH, "by hashing")):
        row = result.row(name)
        if row is None:
            continue
        gain, (low, _) = difference(result, sparse, row)
        if gain <= 0:
            sentences.append(
                f"Experts routed {how} are as good ({_points(-gain)} points): routing by content "
                "does not help here."
            )
        elif low <= 0:
            sentences.append(
                f"The router is not significantly better than routing {how} ({_points(gain)} "
                "points)."
            )
    return sentences


def _by(result: Comparison) -> str:
    if len(result.seeds) > 1:
        return f", {len(result.seeds)} seeds"
    return f", one seed, {result.examples:,} examples"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
