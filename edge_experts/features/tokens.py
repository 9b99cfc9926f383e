"""Whole numbers that a network looks up, such as token ids, as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import UsageError
from .array import ArrayFeatures
from .fields import Fields


class TokenFeatures(ArrayFeatures):
    """An array of ids to `x`, (1, *shape) int32, unchanged.

    Args:
        shape: of one example.
        below: ids must be from 0 to below this, the rows of the table that they are looked up in:
            beyond it the interpreter would read what lies behind the table, or stop.
    """

    kind = "tokens"

    def __init__(self, shape: tuple[int, ...], below: int):
        super().__init__(shape, np.zeros(()), np.ones(()))
        if not 0 < below < 2**31:
            raise ValueError(f"below must be from 1 to {2**31 - 1}, got {below}")
        self._below = int(below)

    @classmethod
    def restore(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> TokenFeatures:
        return cls(tuple(settings["shape"]), settings["below"])

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], type[np.number]]]:
        return {"x": ((1, *self._shape), np.int32)}

    @property
    def fields(self) -> Fields:
        return {"x": (np.int32, self._shape)}

    @property
    def settings(self) -> dict[str, Any]:
        return {**super().settings, "below": self._below}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return {}

    def encode(self, example: Any, warnings: list[str] | None = None) -> dict[str, np.ndarray]:
        """The example as int32.

        Raises:
            UsageError: it has another shape, or holds something else than ids in the table.
        """
        try:
            array = np.asarray(example)
        except ValueError:
            raise UsageError("an example must be an array of ids, all rows alike") from None
        if array.shape != self._shape:
            raise UsageError(f"an example must have the shape {self._shape}, got {array.shape}")
        whole = array.dtype.kind in "ui" or (
            array.dtype.kind == "f" and bool((array == np.floor(array)).all())
        )
        if not whole or array.min() < 0 or array.max() >= self._below:
            raise UsageError(f"an example must hold whole numbers from 0 to {self._below - 1}")
        return {"x": array.astype(np.int32)[None]}
