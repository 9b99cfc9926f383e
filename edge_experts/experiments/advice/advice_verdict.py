"""Verdict on whether sparse experts are likely to pay, from the figures of a quick look."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WORTH = 0.005  # least gain in the primary score that justifies experts
# Standard deviation of the prior of the gain, which is normal with mean zero: two points, as on the
# data sets of docs/results.md. With few examples the posterior stays close to it.
_EXPECTED = 0.02
_LIKELY, _UNLIKELY = 0.8, 0.2


@dataclass(frozen=True)
class Candidate:
    """A model that the quick look trained and converted.

    `gain` is its primary score minus that of the dense network of an expert's size on the same
    examples. `error` is the standard error of this difference.
    """

    name: str
    experts: int
    scores: Mapping[str, float]
    gain: float
    error: float
    macs: int
    total_bytes: int
    resident_bytes: int
    answer_us: float  # on this machine

    @property
    def give_or_take(self) -> float:
        """Half the 95 % interval of the gain."""
        return 1.96 * self.error


@dataclass(frozen=True)
class AdviceVerdict:
    """Verdict and next command; `chance` is the probability of a gain of `WORTH` or more."""

    word: str  # "likely", "unlikely" or "unclear"
    chance: float
    reasons: tuple[str, ...]
    command: str
    options: str


def judge(
    everything: Candidate,
    sparse: Sequence[Candidate],
    *,
    gained: str,
    memory: int | None = None,
    latency_us: float | None = None,
) -> AdviceVerdict:
    """Compare sparse models with dense networks.

    Args:
        everything: the dense network of all experts' size. The baseline of all gains is the dense
            network of an expert's size.
        gained: the gain in words, see `ComparedTask`.
        memory: memory limit of a model on the device in bytes.
        latency_us: latency limit of an answer in microseconds.
    """

    def fits(one: Candidate) -> bool:
        return (memory is None or one.resident_bytes <= memory) and (
            latency_us is None or one.answer_us <= latency_us
        )

    best = _fewest_of_the_best(sparse)
    chance = _chance(best)
    reasons = [
        f"{best.experts} experts {gained.format(_points(best))} than the dense network of the "
        "same cost.",
        f"A dense network with all their parameters: {_points(everything)} points. "
        + (
            "So a larger model can learn more here."
            if _chance(everything) > 0.5
            else "So a larger model can learn little more here."
        ),
    ]
    limited = memory is not None or latency_us is not None
    if limited and fits(everything):
        if everything.gain >= best.gain - everything.error:
            larger = _chance(everything) > 0.5
            reasons.append(
                "That dense network meets your limits too, and is as accurate: experts have no "
                "advantage here."
                if larger
                else "The dense network of an expert's size, smaller than both, is as accurate."
            )
            size = "all" if larger else "active"
            return AdviceVerdict("unlikely", chance, tuple(reasons), "train", f"--dense {size}")
    elif limited:
        reasons.append("That dense network exceeds your limits.")
    options = f"--experts {best.experts}"
    if not fits(best):
        reasons.append(
            f"An expert of this size exceeds your limits ({_cost(best)}): make it narrower with "
            "--width, or use your own network with --model."
        )
        options += f" --width {_narrower(best, memory, latency_us)}"
    if chance > _LIKELY:
        return AdviceVerdict("likely", chance, tuple(reasons), "train", options)
    if chance < _UNLIKELY:
        return AdviceVerdict("unlikely", chance, tuple(reasons), "train", "--dense active")
    return AdviceVerdict("unclear", chance, tuple(reasons), "compare", f"{options} --seeds 3")


def _fewest_of_the_best(sparse: Sequence[Candidate]) -> Candidate:
    """Candidate with the fewest experts within one standard error of the best."""
    best = max(sparse, key=lambda one: one.gain)
    good = [one for one in sparse if one.gain >= best.gain - best.error]
    return min(good, key=lambda one: one.experts)


def _chance(one: Candidate) -> float:
    """Posterior probability that the gain is `WORTH` or more."""
    weight = _EXPECTED**2 / (_EXPECTED**2 + one.error**2)
    opinion = statistics.NormalDist(weight * one.gain, one.error * math.sqrt(weight))
    return 1 - opinion.cdf(WORTH)


def _points(one: Candidate) -> str:
    return f"{100 * one.gain:+.1f} (± {100 * one.give_or_take:.1f})"


def _cost(one: Candidate) -> str:
    return f"{one.resident_bytes / 1000:,.0f} kB in memory, {one.answer_us:,.0f} µs an answer here"


def _narrower(one: Candidate, memory: int | None, latency_us: float | None) -> float:
    """Return a width to try, which meets the limits if cost grows at least in proportion to it.

    Parts without a width, such as a router or the rows of a text's table, are not considered.
    """
    shares = [1.0]
    shares += [] if memory is None else [memory / one.resident_bytes]
    shares += [] if latency_us is None else [latency_us / one.answer_us]
    return max(0.1, math.floor(min(shares) * 10) / 10)
