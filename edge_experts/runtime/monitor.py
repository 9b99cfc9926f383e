"""Whether inputs still look like those that a bundle was made from, in constant memory.

A model does not notice that the world changed; its router and its scores do. What they did on the
validation examples stands in the manifest (`reference`), as counts: the router's first choice, its
probability, the entropy of its choice, and the answer's score. Here the same is counted while
answering, in blocks, and compared.

The comparison is a test martingale for counts (Lindon & Malek, 2022, Anytime-valid inference for
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
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..reference import Histogram, Reference

FALSE_ALARMS = 0.001  # the probability that a device ever warns, if nothing changes
LEAST_DISTANCE = 0.05  # a change of fewer answers is no news to anyone
_BLOCKS = (256, 4096, 65536)  # answers
_ROWS = 256  # answers that wait to be counted together
_NUMBERS = 2**16  # and numbers, which is less for many labels or experts
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


@dataclass(frozen=True)
class Drift:
    """What was found.

    Attributes:
        answers: how many were looked at.
        drifted: whether inputs changed; it stays so until `reset`.
        since: after how many answers that was found.
        signals: by name, for the block of answers in which it was found, or else the longest
            that is being counted.
    """

    answers: int
    drifted: bool
    since: int | None
    signals: Mapping[str, Comparison]

    @property
    def warning(self) -> str:
        """In words; empty where there is nothing to warn of."""
        if not self.drifted:
            return ""
        name, found = max(self.signals.items(), key=lambda pair: pair[1].distance)
        return (
            f"inputs differ from those that the bundle was made from ({name}: {found.distance:.0%} "
            "of the answers lie elsewhere), so that its accuracy on them is unknown"
        )


class Monitor:
    """Counts what the router and the answers do, and compares it with the bundle's reference.

    Threads may share it: an answer that would have to wait is left out.

    Args:
        temperature: the bundle's, for scores.
        false_alarms: the probability that it ever warns if inputs do not change.
    """

    def __init__(
        self, reference: Reference, temperature: float, *, false_alarms: float = FALSE_ALARMS
    ):
        self._temperature = temperature
        self._edges = {"score": np.array(reference.score.edges)}
        counts = {"score": reference.score.counts}
        if reference.experts is not None:
            for name in ("confidence", "entropy"):
                histogram: Histogram = getattr(reference, name)
                self._edges[name] = np.array(histogram.edges)
                counts[name] = histogram.counts
            counts["experts"] = reference.experts
        self._expected = {name: _Expected(np.array(one)) for name, one in counts.items()}
        self._routed = reference.experts is not None
        self._false_alarms = false_alarms / len(_BLOCKS)
        self._lock = threading.Lock()
        self._gates = self._logits = np.zeros((0, 0), np.float32)
        self._waiting = 0
        self._start()

    def observe(self, gate: np.ndarray | None, logits: np.ndarray) -> None:
        """One answer: the router's logits (experts,), None without one; and the answer's (labels,).

        It takes about a microsecond: what is made of them is worked out for many at a time.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            row = self._waiting
            if row == len(self._logits):
                row = self._count_waiting(gate, logits)
            self._logits[row] = logits
            if gate is not None:
                self._gates[row] = gate
            self._waiting = row + 1
        finally:
            self._lock.release()

    @property
    def drift(self) -> Drift:
        """What was found until now."""
        with self._lock:
            self._count_waiting()
            return self._drift()

    def reset(self) -> None:
        """Forget everything: the reference is what the next answers are compared with."""
        with self._lock:
            self._waiting = 0
            self._start()

    def _start(self) -> None:
        self._answers = 0
        self._since: int | None = None
        self._blocks = [_Block(length, self._expected) for length in _BLOCKS]
        self._found: _Block | None = None

    def _count_waiting(
        self, gate: np.ndarray | None = None, logits: np.ndarray | None = None
    ) -> int:
        """Count the answers that wait; then there is room for one like these, in row 0."""
        if self._waiting:
            self._count(self._waiting)
            self._waiting = 0
        if not len(self._logits) and logits is not None:
            experts = 0 if gate is None else len(gate)
            rows = max(1, min(_ROWS, _NUMBERS // (experts + len(logits))))
            self._logits = np.zeros((rows, len(logits)), np.float32)
            self._gates = np.zeros((rows, experts), np.float32)
        return 0

    def _count(self, rows: int) -> None:
        logits, gates = self._logits[:rows], self._gates[:rows]
        values = {"score": first_probabilities(logits / np.float32(self._temperature))}
        if self._routed:
            values["confidence"], values["entropy"] = first_probabilities(gates), entropies(gates)
        bins = {
            name: np.searchsorted(edges, values[name], side="right")
            for name, edges in self._edges.items()
        }
        if self._routed:
            bins["experts"] = gates.argmax(axis=1)
        self._answers += rows
        for block in self._blocks:
            block.add(bins, rows)
            if self._since is None and block.speaks(self._false_alarms):
                self._since, self._found = self._answers, block.copy()
            if block.answers >= block.length:
                block.restart()

    def _drift(self) -> Drift:
        block = self._found
        if block is None:
            block = max(self._blocks, key=lambda one: one.answers)
        return Drift(
            answers=self._answers,
            drifted=self._since is not None,
            since=self._since,
            signals=block.compared(),
        )


class _Expected:
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


class _Block:
    """Counts since the block began, and how many blocks of its length there were."""

    def __init__(self, length: int, expected: Mapping[str, _Expected]):
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

    def copy(self) -> _Block:
        other = _Block(self.length, self._expected)
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


def first_probabilities(logits: np.ndarray) -> np.ndarray:
    """The largest probability of each row, (rows, n) to (rows,)."""
    largest: np.ndarray = 1 / _shifted_powers(logits).sum(axis=1)
    return largest


def entropies(logits: np.ndarray) -> np.ndarray:
    """In nats, of the probabilities of each row, (rows, n) to (rows,)."""
    powers = _shifted_powers(logits)
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    found: np.ndarray = -(probabilities * np.log(np.maximum(probabilities, 1e-30))).sum(axis=1)
    return found


def _shifted_powers(logits: np.ndarray) -> np.ndarray:
    powers: np.ndarray = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers


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
