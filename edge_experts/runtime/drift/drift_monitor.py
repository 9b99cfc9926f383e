"""Detection of input drift in constant memory.

A model does not notice that its inputs changed, but its router and its scores change with them. The
manifest holds their distributions on the validation examples (`reference`), as counts: the router's
first choice, its probability, the entropy of the routing, and the answer's score. The monitor
counts the same for a device's answers, in blocks; `evidence.py` tests if the two differ.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ...format.drift_reference import DriftReference, Histogram
from .evidence import BLOCKS, AnswerBlock, Expected, SignalComparison

FALSE_ALARMS = 0.001  # probability that a device ever warns if nothing changes
_ROWS = 256  # buffered answers, which are counted together
_NUMBERS = 2**16  # buffered numbers; limits the rows where labels or experts are many


@dataclass(frozen=True)
class Drift:
    """Result of drift detection.

    Attributes:
        answers: number of answers that were examined.
        drifted: True if inputs changed; it stays so until `reset`.
        since: number of answers after which the change was found.
        signals: by name, of the block of answers in which the change was found, or else of the
            longest current block.
    """

    answers: int
    drifted: bool
    since: int | None
    signals: Mapping[str, SignalComparison]

    @property
    def warning(self) -> str:
        """Warning in words; empty without drift."""
        if not self.drifted:
            return ""
        name, found = max(self.signals.items(), key=lambda pair: pair[1].distance)
        return (
            f"inputs differ from those that the bundle was made from ({name}: {found.distance:.0%} "
            "of the answers lie elsewhere), so that its accuracy on them is unknown"
        )


class Monitor:
    """Compare the behaviour of the router and the answers with the bundle's reference.

    Threads may share it: an answer that would have to wait for the lock is not counted.

    Args:
        values: computes the numbers that the reference's `score` histogram counts, from outputs of
            experts, (answers, ...) to (answers,).
        false_alarms: the probability that it ever warns if inputs do not change.
    """

    def __init__(
        self,
        reference: DriftReference,
        values: Callable[[np.ndarray], np.ndarray],
        *,
        false_alarms: float = FALSE_ALARMS,
    ):
        self._values = values
        self._edges = {"score": np.array(reference.score.edges)}
        counts = {"score": reference.score.counts}
        if reference.experts is not None:
            for name in ("confidence", "entropy"):
                histogram: Histogram = getattr(reference, name)
                self._edges[name] = np.array(histogram.edges)
                counts[name] = histogram.counts
            counts["experts"] = reference.experts
        self._expected = {name: Expected(np.array(one)) for name, one in counts.items()}
        self._routed = reference.experts is not None
        self._false_alarms = false_alarms / len(BLOCKS)
        self._lock = threading.Lock()
        self._gates = self._outputs = np.zeros((0, 0), np.float32)
        self._waiting = 0
        self._start()

    def observe(self, gate: np.ndarray | None, output: np.ndarray) -> None:
        """Record one answer: the router's logits, (experts,) or None, and the output, (labels,).

        It takes about a microsecond: statistics are computed for many answers at a time.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            row = self._waiting
            if row == len(self._outputs):
                row = self._count_waiting(gate, output)
            self._outputs[row] = output
            if gate is not None:
                self._gates[row] = gate
            self._waiting = row + 1
        finally:
            self._lock.release()

    @property
    def drift(self) -> Drift:
        """Result until now."""
        with self._lock:
            self._count_waiting()
            return self._drift()

    def reset(self) -> None:
        """Forget all answers; the next ones are compared with the bundle's reference."""
        with self._lock:
            self._waiting = 0
            self._start()

    def _start(self) -> None:
        self._answers = 0
        self._since: int | None = None
        self._blocks = [AnswerBlock(length, self._expected) for length in BLOCKS]
        self._found: AnswerBlock | None = None

    def _count_waiting(
        self, gate: np.ndarray | None = None, output: np.ndarray | None = None
    ) -> int:
        """Count the buffered answers; afterwards row 0 is free for an answer of these shapes."""
        if self._waiting:
            self._count(self._waiting)
            self._waiting = 0
        if not len(self._outputs) and output is not None:
            experts = 0 if gate is None else len(gate)
            rows = max(1, min(_ROWS, _NUMBERS // (experts + len(output))))
            self._outputs = np.zeros((rows, len(output)), np.float32)
            self._gates = np.zeros((rows, experts), np.float32)
        return 0

    def _count(self, rows: int) -> None:
        outputs, gates = self._outputs[:rows], self._gates[:rows]
        values = {"score": self._values(outputs)}
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


def first_probabilities(logits: np.ndarray) -> np.ndarray:
    """Compute the largest probability of each row, (rows, n) to (rows,)."""
    largest: np.ndarray = 1 / _shifted_powers(logits).sum(axis=1)
    return largest


def entropies(logits: np.ndarray) -> np.ndarray:
    """Compute the entropy of each row's probabilities in nats, (rows, n) to (rows,)."""
    powers = _shifted_powers(logits)
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    found: np.ndarray = -(probabilities * np.log(np.maximum(probabilities, 1e-30))).sum(axis=1)
    return found


def _shifted_powers(logits: np.ndarray) -> np.ndarray:
    powers: np.ndarray = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers
