"""Evidence that counts differ from the distribution of a reference.

It is a test martingale for counts (Lindon & Malek, 2022, Anytime-valid inference for
multinomial count data, NeurIPS). It compares two predictions of the counts: by histograms that are
learned from the answers so far, and by the reference. The reference is itself a sample, so it
predicts by its posterior (Dirichlet, with Jeffreys's 1/2 for each bin) instead of exact shares. If
nothing changed, the ratio E of the two is a martingale that starts at 1: the probability that it
ever reaches 1/a, at any time of looking, is at most a (Ville, 1939). A mean of such ratios is such
a ratio too, so the signals are averaged. Blocks of three lengths are restarted continually, for
sudden and for faint changes; block j may spend 1/(j (j+1)) of its length's third of `false_alarms`.
The sum is `false_alarms`: the probability that a device whose inputs do not change ever warns,
for any number of answers. This holds for independent inputs. If inputs come in runs (a sensor that
stays in one state for hours), the longest blocks are the most reliable, and short ones report the
run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

LEAST_DISTANCE = 0.05  # smaller changes in the share of answers are not reported
BLOCKS = (256, 4096, 65536)  # answers
_JEFFREYS = 0.5
_STRENGTHS = (0.5, 5.0, 50.0)  # of the learned histograms' priors: answers in each bin


@dataclass(frozen=True)
class SignalComparison:
    """Shares of the answers in each bin for one signal, on validation data and now.

    `distance` is the total variation: the share of answers that would have to change their bin.
    """

    reference: tuple[float, ...]
    seen: tuple[float, ...]
    distance: float


class Expected:
    """Prediction of one signal's counts by the reference, and priors of histograms to learn."""

    def __init__(self, counts: np.ndarray):
        self.shares = counts / max(1, counts.sum())
        self.weights = counts + _JEFFREYS
        mean = self.weights / self.weights.sum()
        # Priors from weak to strong: a prior near the reference needs fewer answers, so that faint
        # changes are found too.
        self.learned = [strength * len(counts) * mean for strength in _STRENGTHS]

    def evidence(self, counts: np.ndarray) -> float:
        """Compute log E of counts: the mean advantage of the learned histograms."""
        seen = np.flatnonzero(counts)
        known = _log_probability(self.weights, counts, seen)
        return _log_mean([_log_probability(one, counts, seen) - known for one in self.learned])


class AnswerBlock:
    """Counts since the start of the block, and the number of blocks of its length so far."""

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

    def copy(self) -> AnswerBlock:
        other = AnswerBlock(self.length, self._expected)
        other.answers = self.answers
        other.counts = {name: one.copy() for name, one in self.counts.items()}
        return other

    def add(self, bins: Mapping[str, np.ndarray], rows: int) -> None:
        self.answers += rows
        for name, counts in self.counts.items():
            counts += np.bincount(bins[name], minlength=len(counts))

    def speaks(self, false_alarms: float) -> bool:
        """Test if the signals' mean evidence exceeds this block's limit and the change is large."""
        allowed = false_alarms / (self.number * (self.number + 1))
        logs = [self._expected[name].evidence(one) for name, one in self.counts.items()]
        return _log_mean(logs) >= -math.log(allowed) and self._matters()

    def _matters(self) -> bool:
        return any(one.distance >= LEAST_DISTANCE for one in self.compared().values())

    def compared(self) -> dict[str, SignalComparison]:
        found = {}
        for name, counts in self.counts.items():
            expected, seen = self._expected[name].shares, counts / max(1, counts.sum())
            found[name] = SignalComparison(
                tuple(expected.tolist()),
                tuple(seen.tolist()),
                float(np.abs(expected - seen).sum() / 2) if self.answers else 0.0,
            )
        return found


def _log_mean(logs: list[float]) -> float:
    most = max(logs)
    return most + math.log(sum(math.exp(one - most) for one in logs) / len(logs))


def _log_probability(weights: np.ndarray, counts: np.ndarray, seen: np.ndarray) -> float:
    """Log probability of a sequence with these counts under a Dirichlet prior.

    `seen` marks the counts that are not 0.
    """
    total = float(weights.sum())
    return (
        math.lgamma(total)
        - math.lgamma(total + float(counts.sum()))
        + sum(
            math.lgamma(weight + count) - math.lgamma(weight)
            for weight, count in zip(weights[seen].tolist(), counts[seen].tolist(), strict=True)
        )
    )
