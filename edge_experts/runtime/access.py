"""What the runtime gives a task: the routers and experts of its bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from .batch import Question
from .memory.residency import Slot

Observer = Callable[[np.ndarray | None, Any], None]


class Access(Protocol):
    """Checked models within the memory budget.

    Attributes:
        strict: a task raises where an expert cannot be used, rather than run another one.
        observer: is called with the router's logits and the experts' output after each answer.
        is_watched: whether `answered` has anything to do.
    """

    strict: bool
    observer: Observer | None
    is_watched: bool

    def route(self, arrays: dict[str, np.ndarray]) -> np.ndarray | None:
        """The router's logits, (experts,); None without a router.

        It may add arrays that experts build on.
        """

    def expert(self, index: int) -> Slot:
        """Holds an expert until its `free`, or while a `with` block lasts; loads it where needed.

        `reject`, or a ModelError in the block, makes the runtime refuse it for a while.

        Raises:
            one of `quarantine.UNAVAILABLE`: it cannot be used.
        """

    def run(self, questions: Sequence[Question]) -> None:
        """Has experts answer questions, each expert loaded once, with fallback to next choices."""

    def answered(self, expert: int, gate: np.ndarray | None, output: Any) -> None:
        """Notes that one expert answered an input."""
