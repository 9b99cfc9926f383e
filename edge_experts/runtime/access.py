"""What the runtime gives a task: the routers and experts of its bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ..errors import ModelError
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
        """Holds an expert until `free`; loads it where it is not in memory.

        Raises:
            one of `quarantine.UNAVAILABLE`: it cannot be used.
        """

    def free(self, slot: Slot) -> None:
        """Gives back what `expert` returned."""

    def reject(self, slot: Slot, error: ModelError) -> None:
        """Makes the runtime refuse an expert for a while that failed on an input."""

    def run(self, questions: Sequence[Question]) -> None:
        """Has experts answer questions, each expert loaded once, with fallback to next choices."""

    def answered(self, expert: int, gate: np.ndarray | None, output: Any) -> None:
        """Notes that one expert answered an input."""
