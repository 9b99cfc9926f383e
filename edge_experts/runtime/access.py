"""Access of a task to the runtime: the routers and experts of its bundle.

An expert's key is its place among the bundle's experts, as in `Answer.experts`, `pin` and
`quarantined`. A router's key is its layer's place. A thread holds one expert at most: it frees one
before it asks for the next, or two threads could wait for each other's room for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ..errors import ModelError
from .batch import Question
from .memory.slot import Slot

Observer = Callable[[np.ndarray | None, Any], None]


class Layer(Protocol):
    """One router, and the experts that it picks from.

    Attributes:
        places: of its experts among the bundle's: `places[index]` is the key of the one whose
            logit is `gate[index]`.
    """

    @property
    def places(self) -> range: ...

    def route(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """The router's logits, (experts of the layer,); as `Access.route`."""


class Access(Protocol):
    """Checked models within the memory budget.

    Attributes:
        layers: where the bundle has layers, in their order; else empty, and `route` routes.
        strict: a task raises where an expert cannot be used, rather than run another one.
        observer: is called with the router's logits and the experts' output after each answer.
        is_watched: whether `answered` has anything to do.
    """

    strict: bool
    observer: Observer | None
    is_watched: bool

    @property
    def layers(self) -> Sequence[Layer]: ...

    def route(self, arrays: dict[str, np.ndarray]) -> np.ndarray | None:
        """The router's logits, (experts,); None without a router.

        It may add arrays that experts build on.
        """

    def expert(self, index: int) -> Slot:
        """Holds an expert until `free`; loads it where it is not in memory.

        Not to be called by a thread that holds one.

        Raises:
            one of `quarantine.UNAVAILABLE`: it cannot be used.
        """

    def free(self, slot: Slot) -> None:
        """Gives back what `expert` returned."""

    def reject(self, slot: Slot, error: ModelError) -> None:
        """Makes the runtime refuse an expert for a while that failed on an input."""

    def run(self, questions: Sequence[Question]) -> None:
        """Has experts answer questions, each expert loaded once, with fallback to next choices.

        The questions of one call may be of several layers; a next choice is of the same layer.
        """

    def answered(self, expert: int, gate: np.ndarray | None, output: Any) -> None:
        """Notes that one expert answered an input, or a step of it."""
