"""Rules for reading arrays: those of a contract, or of version 0.1.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import UsageError
from ..format.manifest import CONTRACT
from .array_contract import ArrayContract, outside, ranges
from .array_input import numbers, shaped


class PlainArrays:
    """Rules of version 0.1.0: accept any numbers of the right shape."""

    @property
    def contract(self) -> dict[str, Any]:
        """Settings that are stored with the features: {"contract": {...}}, or nothing."""
        return {}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays that are stored with the features."""
        return {}

    @property
    def described(self) -> dict[str, Any]:
        """Entries for the description of an input."""
        return {}

    def read(self, example: Any, shape: tuple[int, ...]) -> np.ndarray:
        """Return the example's numbers, (*shape) float32.

        Raises:
            UsageError: it has another shape, or contains anything but numbers.
        """
        try:
            array = np.asarray(example, np.float32)
        except (TypeError, ValueError):
            raise UsageError("an example must be an array of numbers, all rows alike") from None
        if array.shape != shape:
            raise UsageError(f"an example must have the shape {shape}, got {array.shape}")
        return array

    def judge(self, standard: np.ndarray, warnings: list[str] | None) -> None:
        """Check standardized numbers, (*shape) float32, against the range of the training data.

        Raises:
            UsageError: they are in another unit.
        """


class ContractArrays(PlainArrays):
    """Rules with statistics of the training data.

    Args:
        low, high: smallest and largest number, scalars or for each channel; NaN without numbers.
        mean, deviation: the parameters of standardization.
    """

    def __init__(
        self,
        contract: ArrayContract,
        shape: tuple[int, ...],
        low: np.ndarray,
        high: np.ndarray,
        mean: np.ndarray,
        deviation: np.ndarray,
    ):
        if low.shape != high.shape or np.broadcast_shapes(shape, low.shape) != shape:
            raise ValueError(f"low and high must fit the shape {shape}")
        if {low.dtype, high.dtype} != {mean.dtype}:
            raise ValueError("low and high must be float32")
        self._contract, self._shape = contract, shape
        self._low, self._high = low, high
        with np.errstate(invalid="ignore", over="ignore"):
            self._standard = ((low - mean) / deviation, (high - mean) / deviation)
            span = self._standard[1] - self._standard[0]
            span = np.where(span > 0, span, np.float32(1))
            self._near = (self._standard[0] - span, self._standard[1] + span)
        # Bytes are always in the range of bytes.
        self._bytes = contract.dtype == "uint8" and contract.full_scale == 255
        self._scaled = contract.kind == "image"
        self._in_range = contract.full_scale is not None  # `read` ensures it

    @classmethod
    def of(
        cls, examples: np.ndarray, kind: str, mean: np.ndarray, deviation: np.ndarray
    ) -> ContractArrays:
        """Create rules from training examples, (examples, *shape)."""
        shape = examples.shape[1:]
        low, high = ranges(examples, () if kind == "image" else shape[-1:])
        return cls(ArrayContract.of(examples, kind), shape, low, high, mean, deviation)

    @classmethod
    def restore(
        cls,
        settings: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
        mean: np.ndarray,
        deviation: np.ndarray,
    ) -> ContractArrays:
        """Restore the rules of stored features.

        Raises:
            KeyError, TypeError, ValueError: a contract that this version does not know.
        """
        shape = tuple(settings["shape"])
        contract = ArrayContract.restore(settings[CONTRACT], shape)
        return cls(contract, shape, arrays["low"], arrays["high"], mean, deviation)

    @property
    def contract(self) -> dict[str, Any]:
        return {CONTRACT: self._contract.to_json(self._shape)}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return {"low": self._low, "high": self._high}

    @property
    def described(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in self._contract.to_json(self._shape).items()
            if name in ("dtype", "range", "kind", "layout", "colours") and value != "none"
        }

    def read(self, example: Any, shape: tuple[int, ...]) -> np.ndarray:
        array = numbers(example, booleans=self._contract.dtype == "bool")
        array = shaped(array, shape, is_image=self._scaled)
        if self._bytes and array.dtype == np.uint8:
            return array.astype(np.float32)
        typed_whole = array.dtype.kind in "bui"
        if array.dtype != np.float32:
            with np.errstate(over="ignore"):
                array = array.astype(np.float32)
        return self._contract.converted(array, typed_whole=typed_whole)

    def judge(self, standard: np.ndarray, warnings: list[str] | None) -> None:
        low, high = self._near
        if self._in_range or ((standard >= low) & (standard <= high)).all():
            return
        outside(standard, *self._standard, warnings)
