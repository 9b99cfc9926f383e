"""Slot: an expert's place in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..interpreter import Expert


class Slot:
    """An expert's place in memory. Whoever holds it may call it until it is given back."""

    __slots__ = ("failed", "index", "model", "ready", "users")

    def __init__(self, index: int):
        self.index, self.users = index, 1
        self.model: Expert | None = None  # while it is loaded, and once it left
        self.ready = self.failed = False

    def __call__(self, arrays: dict[str, np.ndarray]) -> Any:
        assert self.model is not None, "an expert was asked by someone who does not hold it"
        return self.model(arrays)
