"""Integers that a network looks up in a table, such as token ids, unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import UsageError
from ..format.manifest import CONTRACT
from .array import ArrayFeatures
from .array_contract import RULES
from .array_input import numbers, shaped
from .fields import Fields


class TokenFeatures(ArrayFeatures):
    """Conversion of an array of ids to `x`, (1, *shape) int32, unchanged.

    Args:
        shape: of one example.
        below: number of rows of the lookup table; ids must be from 0 to below this: otherwise the
            interpreter would read beyond the table, or stop.
        contract: read ids by the contract of this version, not as version 0.1.0.
    """

    kind = "tokens"

    def __init__(self, shape: tuple[int, ...], below: int, *, contract: bool = False):
        super().__init__(shape, np.zeros(()), np.ones(()))
        if not 0 < below < 2**31:
            raise ValueError(f"below must be from 1 to {2**31 - 1}, got {below}")
        self._below = int(below)
        self._contract = {
            CONTRACT: {"rules": RULES, "dtype": "int32", "range": [0, self._below - 1]}
        }
        self._read = _by_contract if contract else _plain
        self._settings = self._contract if contract else {}

    @classmethod
    def restore(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> TokenFeatures:
        made = cls(tuple(settings["shape"]), settings["below"], contract=CONTRACT in settings)
        if settings.get(CONTRACT, made._contract[CONTRACT]) != made._contract[CONTRACT]:
            raise ValueError(f"contract must be {made._contract[CONTRACT]}")
        return made

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], type[np.number]]]:
        return {"x": ((1, *self._shape), np.int32)}

    @property
    def fields(self) -> Fields:
        return {"x": (np.int32, self._shape)}

    @property
    def inputs(self) -> list[dict[str, Any]]:
        (x,) = super().inputs
        return [x | {"range": [0, self._below - 1]}]

    @property
    def settings(self) -> dict[str, Any]:
        return {"shape": list(self._shape), "below": self._below, **self._settings}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return {}

    def encode(self, example: Any, warnings: list[str] | None = None) -> dict[str, np.ndarray]:
        """Encode the example as int32.

        Raises:
            UsageError: it has another shape, or contains anything but ids in the table.
        """
        array = self._read(example, self._shape)
        whole = array.dtype.kind in "ui" or (
            array.dtype.kind == "f" and bool((array == np.floor(array)).all())
        )
        if not whole or array.min() < 0 or array.max() >= self._below:
            raise UsageError(f"an example must hold whole numbers from 0 to {self._below - 1}")
        return {"x": array.astype(np.int32)[None]}


def _by_contract(example: Any, shape: tuple[int, ...]) -> np.ndarray:
    return shaped(numbers(example), shape)


def _plain(example: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.asarray(example)
    except ValueError:
        raise UsageError("an example must be an array of ids, all rows alike") from None
    if array.shape != shape:
        raise UsageError(f"an example must have the shape {shape}, got {array.shape}")
    return array
