"""Evidence that counts no longer come from where those of a reference did.

It is a test martingale for counts (Lindon & Malek, 2022, Anytime-valid inference for
multinomial count data, NeurIPS): how much better histograms that are learned as answers come
predict them than the reference does. The reference is itself a sample, so that it predicts by its
posterior (Dirichlet, with Jeffreys's 1/2 for each bin) rather than as if it were exact. If nothing
changed, the ratio E of the two is a martingale that starts at 1: the probability that it ever
reaches 1/a, whenever one looks, is at most a (Ville, 1939). Means of such ratios are such ratios,
so that the signals are averaged. Blocks of three lengths start again and again, for sudden and for
faint changes; block j may spend 1/(j (j+1)) of its length's third of `false_alarms`, which adds up:
`false_alarms` is the probability that a device whose inputs do not change ever warns, however long
it answers. That holds for independent inputs. Where inputs come in runs (a sensor that stays in one
state for hours), the longest blocks are still to be trusted most, and short ones warn of the run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

LEAST_DISTANCE = 0.05  # a change of fewer answers is no news to anyone
BLOCKS = (256, 4096, 65536)  # answers
_JEFFREYS = 0.5
_STRENGTHS = (0.5, 5.0, 50.0)  # of what is learned from: so many answers in each bin


@dataclass(frozen=True)
class Comparison:
    """One signal: shares of the answers in each bin, on validation data and now.

    `distance` is the total variation: the share of answers that would have to change their bin.
    """

    reference: tuple[float, ...]
    seen: tuple[float, ...]
    distance: float


class Expected:
    """What the reference predicts of one signal's counts, and what may be learned instead."""

    def __init__(self, counts: np.ndarray):
        self.shares = counts / max(1, counts.sum())
        self.weights = counts + _JEFFREYS
        mean = self.weights / self.weights.sum()
        # From anything at all to something near the reference: the nearer, the fewer answers it
        # takes to learn it, so that faint changes show too.
        self.learned = [strength * len(counts) * mean for strength in _STRENGTHS]

    def evidence(self, counts: np.ndarray) -> float:
        """log E of counts: how much better those that learn predict them, on the mean."""
        seen = np.flatnonzero(counts)
        known = _log_probability(self.weights, counts, seen)
        return _log_mean([_log_probability(one, counts, seen) - known for one in self.learned])


class Block:
    """Counts since the block began, and how many blocks of its length there were."""

    def __init__(self, length: int, expected: Mapping[str, Expected]):
        self.length, self.number, self._expected = length, 1, expected
        self._clear()

    def _clear(self) -> None:
        self.answers = 0
        self.counts = {
            name: np.zeros(len(one.weights), np.int64) for name, one in self._expected.items()
        }

    def restart(self) -> None:
        self.number += 1
        self._clear()

    def copy(self) -> Block:
        other = Block(self.length, self._expected)
        other.answers = self.answers
        other.counts = {name: one.copy() for name, one in self.counts.items()}
        return other

    def add(self, bins: Mapping[str, np.ndarray], rows: int) -> None:
        self.answers += rows
        for name, counts in self.counts.items():
            counts += np.bincount(bins[name], minlength=len(counts))

    def speaks(self, false_alarms: float) -> bool:
        """Whether the signals' mean evidence reaches what this block may spend, and matters."""
        allowed = false_alarms / (self.number * (self.number + 1))
        logs = [self._expected[name].evidence(one) for name, one in self.counts.items()]
        return _log_mean(logs) >= -math.log(allowed) and self._matters()

    def _matters(self) -> bool:
        return any(one.distance >= LEAST_DISTANCE for one in self.compared().values())

    def compared(self) -> dict[str, Comparison]:
        found = {}
        for name, counts in self.counts.items():
            expected, seen = self._expected[name].shares, counts / max(1, counts.sum())
            found[name] = Comparison(
                tuple(expected.tolist()),
                tuple(seen.tolist()),
                float(np.abs(expected - seen).sum() / 2) if self.answers else 0.0,
            )
        return found


def _log_mean(logs: list[float]) -> float:
    most = max(logs)
    return most + math.log(sum(math.exp(one - most) for one in logs) / len(logs))


def _log_probability(weights: np.ndarray, counts: np.ndarray, seen: np.ndarray) -> float:
    """Of a sequence with these counts, under a Dirichlet prior; `seen` is where they are not 0."""
    total = float(weights.sum())
    return (
        math.lgamma(total)
        - math.lgamma(total + float(counts.sum()))
        + sum(
            math.lgamma(weight + count) - math.lgamma(weight)
            for weight, count in zip(weights[seen].tolist(), counts[seen].tolist(), strict=True)
        )
    )
