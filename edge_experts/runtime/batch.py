"""Batched questions to experts: each expert is loaded once for all its questions.

If an expert cannot be used, the router's next choice is the fallback, and the question records the
reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter_ns
from typing import Any

import numpy as np

from ..errors import ModelError, UsageError
from .answer import Clock
from .memory.quarantine import UNAVAILABLE, describe
from .memory.residency import Residency

_NO = -np.inf  # the gate of an expert that cannot answer
Mix = Callable[[np.ndarray | None, Sequence[Any]], Any]


class Question:
    """An encoded and routed input that experts are to answer.

    Args:
        arrays: the experts' inputs.
        gate: the router's logits, (experts,); None without a router.
        picks: the experts to run, the router's first choice first.
        start: the first expert of the gate's layer; the gate covers this expert and those after it.
        mix: combines several outputs into one, by the gate's logits of these experts; the gate is
            None
            where all experts are summed.
    """

    __slots__ = (
        *("_error", "_mix", "_output", "_outputs", "_start", "_tried"),
        *("arrays", "gate", "invoke_ns", "load_ns", "picks"),
    )

    def __init__(
        self,
        arrays: dict[str, np.ndarray],
        gate: np.ndarray | None,
        picks: tuple[int, ...],
        mix: Mix,
        start: int = 0,
    ):
        self.arrays, self.picks, self.gate, self._mix = arrays, picks, gate, mix
        self._outputs: dict[int, Any] = {}
        self._tried, self._error, self._start = set(picks), "", start
        self._output: Any = None
        self.load_ns = self.invoke_ns = 0

    @property
    def reason(self) -> str | None:
        """Reason for the fallback; None if the router's choice answered."""
        return self._error or None

    @property
    def first(self) -> int:
        """Best of the experts that answered; -1 if all are summed."""
        return -1 if self.gate is None and len(self.picks) > 1 else self.picks[0]

    @property
    def output(self) -> Any:
        """Combined output of the experts, in their own format; available when all have answered."""
        if self._output is None:
            self._output = self._together()
        return self._output

    def clock(self, times: tuple[int, int, int]) -> Clock:
        """Append the times at which its experts were loaded and had answered."""
        loaded = times[2] + self.load_ns
        return (*times, loaded, loaded + self.invoke_ns)

    def _together(self) -> Any:
        outputs = [self._outputs[pick] for pick in self.picks]
        if len(outputs) == 1:
            return outputs[0]
        if self.gate is None:
            return self._mix(None, outputs)
        return self._mix(self.gate[[pick - self._start for pick in self.picks]], outputs)

    def answered(self, expert: int, output: Any) -> None:
        self._outputs[expert] = output

    def instead(self, expert: int, error: Exception) -> int | None:
        """Return the router's next choice as the fallback for an expert that cannot be used.

        None if no other expert is left; the remaining picks then answer.

        Raises:
            the error: no expert can answer, or all experts are required.
        """
        self._error = self._error or f"expert {expert}: {describe(error)}"
        gate = np.zeros(0) if self.gate is None else self.gate
        # An expert that the example names has no fallback.
        order = np.argsort(-gate, kind="stable").tolist()
        ranked = [self._start + index for index in order if gate[index] > _NO]
        other: int | None = next((index for index in ranked if index not in self._tried), None)
        if other is not None:
            self._tried.add(other)
        asked = {*self.picks, other} - {expert, None}
        if self.gate is None or not asked:
            raise error
        self.picks = tuple(index for index in ranked if index in asked)
        return other


def ask(questions: Sequence[Question], experts: Residency, *, strict: bool) -> None:
    """Answer all questions, those of experts in memory first.

    Loads and inferences alternate, so that a budget for one expert is enough: no expert is held
    while another one is loaded.

    Args:
        strict: raise if an expert cannot be used.

    Raises:
        one of UNAVAILABLE: strict, or no fallback is left.
    """
    waiting: dict[int, list[Question]] = {}
    for question in questions:
        for pick in question.picks:
            waiting.setdefault(pick, []).append(question)
    while waiting:
        resident = set(experts.resident)
        expert = next((index for index in waiting if index in resident), next(iter(waiting)))
        asking = deque(waiting.pop(expert))
        try:
            _ask_one(asking, expert, experts)
        except UNAVAILABLE as error:
            if strict:
                raise
            for question in asking:
                other = question.instead(expert, error)
                if other is not None:
                    waiting.setdefault(other, []).append(question)


def _ask_one(asking: deque[Question], expert: int, experts: Residency) -> None:
    """Run an expert on its questions in order; if it raises, the unanswered ones remain."""
    start = perf_counter_ns()
    slot = experts.hold(expert)
    try:
        asking[0].load_ns += perf_counter_ns() - start
        while asking:
            start = perf_counter_ns()
            asking[0].answered(expert, slot(asking[0].arrays))
            asking.popleft().invoke_ns += perf_counter_ns() - start
    except ModelError as error:
        experts.reject(slot, error)
        raise
    finally:
        experts.free(slot)


def examples_of(arrays: Mapping[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """Yield the arrays of one example after the other.

    Raises:
        UsageError: the arrays have different lengths.
    """
    lengths = {len(array) for array in arrays.values()}
    if len(lengths) != 1:
        raise UsageError(f"arrays must have the same number of rows, got {sorted(lengths)}")
    for row in range(lengths.pop()):
        yield {name: array[row : row + 1] for name, array in arrays.items()}
