"""Access of a task to the models of an opened bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import UsageError
from .access import Observer
from .batch import Question, ask
from .memory.prefetch import Prefetcher
from .memory.residency import Residency, Slot
from .routing import Routing


class BundleAccess:
    """Implements `Access`; see there.

    Args:
        experts: those in memory.
        prefetcher: is told which expert answered; None where none is wanted.
    """

    __slots__ = ("_experts", "_prefetcher", "_routing", "closed", "observer", "strict")

    def __init__(
        self,
        routing: Routing,
        experts: Residency,
        prefetcher: Prefetcher | None,
        *,
        strict: bool,
        observer: Observer | None = None,
    ):
        self._routing, self._experts, self._prefetcher = routing, experts, prefetcher
        self.strict, self.observer, self.closed = strict, observer, False

    def route(self, arrays: dict[str, np.ndarray]) -> np.ndarray | None:
        if self.closed:
            raise UsageError("the runtime is closed")
        return self._routing.gate(arrays)

    def expert(self, index: int) -> Slot:
        return self._experts.hold(index)

    def run(self, questions: Sequence[Question]) -> None:
        ask(questions, self._experts, strict=self.strict)

    def answered(self, expert: int, gate: np.ndarray | None, output: Any) -> None:
        if self.observer is not None:
            self.observer(gate, output)
        if self._prefetcher is not None:
            self._prefetcher.answered(expert)

    def close(self) -> None:
        """Refuses every further input."""
        self.closed = True
