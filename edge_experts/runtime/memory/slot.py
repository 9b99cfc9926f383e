"""Slot of an expert in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ..interpreter import Expert


class Pool(Protocol):
    """Source of experts that uses the memory of those that leave for those that come."""

    @property
    def sizes(self) -> Sequence[int]:
        """Bytes that are read for each expert."""

    def load(self, index: int) -> Expert: ...

    def discard(self, expert: Expert, *, reuse: bool) -> None:
        """Take back an expert that nobody uses; `reuse`: another one is to be loaded for it."""

    def trim(self) -> None:
        """Free the memory that no expert is in."""


class Slot:
    """Slot of an expert in memory; its holder may call the expert until it releases the slot."""

    __slots__ = ("failed", "index", "model", "ready", "users")

    def __init__(self, index: int):
        self.index, self.users = index, 1
        self.model: Expert | None = None  # None while it is loaded, and after its eviction
        self.ready = self.failed = False

    def __call__(self, arrays: dict[str, np.ndarray]) -> Any:
        assert self.model is not None, "an expert was called without a hold on its slot"
        return self.model(arrays)
