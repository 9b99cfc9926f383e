"""Access of a task to the runtime: the routers and experts of its bundle.

An expert's key is its index among the bundle's experts, as in `Answer.experts`, `pin` and
`quarantined`. A router's key is the index of its layer. A thread holds one expert at most and frees
it before it requests the next: two threads could otherwise wait for each other's memory forever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ..errors import ModelError
from .batch import Question
from .memory.slot import Slot

Observer = Callable[[np.ndarray | None, Any], None]


class RoutedLayer(Protocol):
    """One router and the experts that it routes to.

    Attributes:
        places: indices of its experts among the bundle's: `places[index]` is the key of the expert
            whose logit is `gate[index]`.
    """

    @property
    def places(self) -> range: ...

    def route(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Return the router's logits, (experts of the layer,); as `Access.route`."""


class Access(Protocol):
    """Checked models within the memory budget.

    Attributes:
        dense: the bundle's dense parts by their paths, as the task opened them.
        layers: the bundle's layers in their order; empty for a bundle without layers, where `route`
            routes.
        strict: a task raises if an expert cannot be used, instead of running a fallback.
        observer: called with the router's logits and the experts' output after each answer.
        is_watched: True if `answered` has any effect.
        sizes: bytes that are read to load each expert.
    """

    strict: bool
    observer: Observer | None
    is_watched: bool
    sizes: Sequence[int]

    @property
    def layers(self) -> Sequence[RoutedLayer]: ...

    @property
    def dense(self) -> Mapping[str, Any]: ...

    def route(self, arrays: dict[str, np.ndarray]) -> np.ndarray | None:
        """Return the router's logits, (experts,); None without a router.

        It may add arrays that experts take as input.
        """

    def expert(self, index: int) -> Slot:
        """Hold an expert until `free`; load it if it is not in memory.

        A thread that already holds an expert must not call it.

        Raises:
            one of `quarantine.UNAVAILABLE`: the expert cannot be used.
        """

    def has(self, index: int) -> bool:
        """Test if an expert is in memory, or being loaded."""

    def expect(self, experts: Sequence[int]) -> None:
        """Begin to load experts that the caller is about to use, where that gains anything.

        Those of them that are in memory stay there meanwhile.
        """

    def free(self, slot: Slot) -> None:
        """Release the slot that `expert` returned."""

    def reject(self, slot: Slot, error: ModelError) -> None:
        """Make the runtime refuse, for a while, an expert that failed on an input."""

    def run(self, questions: Sequence[Question]) -> None:
        """Run experts on questions: loads each expert once, falls back to next choices.

        The questions of one call may belong to several layers; a fallback is of the same layer.
        """

    def answered(self, expert: int, gate: np.ndarray | None, output: Any) -> None:
        """Record that an expert answered an input, or a step of it."""
