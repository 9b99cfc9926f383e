"""Questions to experts: each expert is loaded once for all that is asked of it.

Where an expert cannot be used, the router's next choice answers in its place, and the question
keeps why.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter_ns

import numpy as np

from .answer import softmax
from .quarantine import UNAVAILABLE, describe
from .residency import Residency

_TINY = 1e-12  # the least probability whose logarithm is taken


class Question:
    """An input on its way to the experts.

    Args:
        arrays: what the experts see.
        gate: the router's logits, (experts,); None where there is no router.
        picks: the experts to ask, the router's first choice first.
    """

    __slots__ = ("_error", "_outputs", "_tried", "arrays", "gate", "invoke_ns", "load_ns", "picks")

    def __init__(
        self, arrays: dict[str, np.ndarray], gate: np.ndarray | None, picks: tuple[int, ...]
    ):
        self.arrays, self.picks, self.gate = arrays, picks, gate
        self._outputs: dict[int, np.ndarray] = {}
        self._tried, self._error = set(picks), ""
        self.load_ns = self.invoke_ns = 0

    @property
    def reason(self) -> str | None:
        """Why it is not the router's choice that answers; None where it is."""
        return self._error or None

    @property
    def first(self) -> int:
        """The best of the experts that answered; -1 where all are summed."""
        return -1 if self.gate is None and len(self.picks) > 1 else self.picks[0]

    @property
    def logits(self) -> np.ndarray:
        """What the experts say together, (labels,) float32."""
        outputs = [self._outputs[pick] for pick in self.picks]
        if len(outputs) == 1:
            return outputs[0]
        if self.gate is None:
            total: np.ndarray = np.sum(outputs, axis=0)
            return total
        return _mixed(self.gate[list(self.picks)], outputs)

    def answered(self, expert: int, output: np.ndarray) -> None:
        self._outputs[expert] = output

    def instead(self, expert: int, error: Exception) -> int | None:
        """The router's next choice, in place of one that cannot be used.

        None where there is no other, and those answer that could.

        Raises:
            the error: nobody can answer, or all experts would have to.
        """
        self._error = self._error or f"expert {expert}: {describe(error)}"
        ranked = [] if self.gate is None else np.argsort(-self.gate, kind="stable").tolist()
        other: int | None = next((index for index in ranked if index not in self._tried), None)
        if other is not None:
            self._tried.add(other)
        asked = {*self.picks, other} - {expert, None}
        if self.gate is None or not asked:
            raise error
        self.picks = tuple(index for index in ranked if index in asked)
        return other


def ask(questions: Sequence[Question], experts: Residency, *, strict: bool) -> None:
    """Have all questions answered, those first whose experts are in memory.

    Loading and asking take turns, so that a budget for one expert is enough: no other is held
    while one is loaded.

    Args:
        strict: raise where an expert cannot be used.

    Raises:
        one of UNAVAILABLE: strict, or nobody else can answer.
    """
    waiting: dict[int, list[Question]] = {}
    for question in questions:
        for pick in question.picks:
            waiting.setdefault(pick, []).append(question)
    while waiting:
        resident = set(experts.resident)
        expert = next((index for index in waiting if index in resident), next(iter(waiting)))
        asking = waiting.pop(expert)
        start = perf_counter_ns()
        try:
            slot = experts.hold(expert)
        except UNAVAILABLE as error:
            if strict:
                raise
            for question in asking:
                other = question.instead(expert, error)
                if other is not None:
                    waiting.setdefault(other, []).append(question)
            continue
        try:
            asking[0].load_ns += perf_counter_ns() - start
            for question in asking:
                start = perf_counter_ns()
                question.answered(expert, slot(question.arrays))
                question.invoke_ns += perf_counter_ns() - start
        finally:
            experts.free(slot)


def _mixed(gate: np.ndarray, outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Logits of the experts' probabilities, weighted by the gate's logits of those experts."""
    answers = np.array([softmax(output) for output in outputs])
    mixture: np.ndarray = np.log(np.maximum(softmax(gate) @ answers, _TINY))
    return mixture
