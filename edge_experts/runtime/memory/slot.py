"""Slot of an expert in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..interpreter import Expert


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
