"""Images, sensor windows and other arrays of one shape: checked by a contract, standardized."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import UsageError
from ..format.limits import LIMITS
from ..format.manifest import CONTRACT
from ..format.strict_json import example_json
from .array_rules import ContractArrays, PlainArrays
from .fields import Fields, described
from .sensor_stream import SensorStream


def single(numbers: np.ndarray) -> np.ndarray:
    """Convert to float32; raises ValueError for values that are not finite in it."""
    with np.errstate(over="ignore"):
        found: np.ndarray = numbers.astype(np.float32)
    if not np.isfinite(found).all():
        raise ValueError("mean and deviation must be finite")
    return found


class ArrayFeatures:
    """Conversion of an array to `x`, (1, *shape) float32: (example - mean) / deviation.

    Images without channels share one mean; the last axis of other arrays is one of channels, each
    with its own mean. NaN is replaced by the mean.

    Args:
        shape: of one example.
        mean, deviation: scalars, or one for each channel.
        rules: how examples are read; None: the rules of version 0.1.0.
        stream: how windows are cut from rows of sensors; None for arrays that come whole.
    """

    kind = "array"

    def __init__(
        self,
        shape: Sequence[int],
        mean: np.ndarray,
        deviation: np.ndarray,
        rules: PlainArrays | None = None,
        stream: SensorStream | None = None,
    ):
        self._shape = tuple(shape)
        self.stream = stream
        self._rules = rules or PlainArrays()
        if not 0 < len(self._shape) < LIMITS.tensor_rank:
            raise ValueError(f"shape must have 1 to {LIMITS.tensor_rank - 1} axes")
        if not all(type(axis) is int and axis > 0 for axis in self._shape) or (
            math.prod(self._shape) > LIMITS.example_numbers
        ):
            raise ValueError(f"shape must be of 1 to {LIMITS.example_numbers} numbers")
        self._mean = single(mean)
        self._deviation = single(deviation)
        if np.broadcast_shapes(self._shape, mean.shape, deviation.shape) != self._shape:
            raise ValueError(f"mean and deviation must fit the shape {self._shape}")
        if not (self._deviation > 0).all():
            raise ValueError("deviation must be above 0")
        if stream is not None and (len(self._shape) != 2 or self._shape[1] != len(stream.channels)):
            raise ValueError(f"a stream of {len(stream.channels)} channels has windows of them")

    @classmethod
    def unscaled(cls, shape: Sequence[int]) -> ArrayFeatures:
        """Keep numbers unscaled, by the rules of version 0.1.0, for networks trained so."""
        return cls(shape, np.zeros(()), np.ones(()))

    @classmethod
    def scaled(
        cls, examples: np.ndarray, scale: tuple[float, float], *, kind: str | None = None
    ) -> ArrayFeatures:
        """Scale numbers like those of these examples as a trained network needs them.

        Args:
            scale: mean and deviation; 0 and 1 keep numbers as they are.
            kind: as for `fit`.
        """
        kind = kind or _kind(examples, channels=True)
        mean, deviation = (np.array(number) for number in scale)
        return cls._of(examples, kind, mean, deviation)

    @classmethod
    def fit(
        cls,
        examples: np.ndarray,
        *,
        channels: bool,
        kind: str | None = None,
        stream: SensorStream | None = None,
    ) -> ArrayFeatures:
        """Learn mean, deviation and contract from training examples, (examples, *shape).

        Args:
            channels: True if each channel of the last axis has its own scale.
            kind: "image", "window" or "table"; None: chosen by the shape.
            stream: how windows were cut from rows of sensors.
        """
        axes = tuple(range(examples.ndim - channels))
        finite = np.where(np.isfinite(examples), examples, np.nan).astype(np.float64)
        counts = np.isfinite(finite).sum(axis=axes)
        total = np.nansum(finite, axis=axes)
        mean = total / np.maximum(counts, 1)
        spread = np.sqrt(np.nansum((finite - mean) ** 2, axis=axes) / np.maximum(counts, 1))
        # A constant channel has no information, and must not be divided by its rounding error.
        deviation = np.where(spread > 1e-12 * abs(mean), spread, 1.0)
        kind = kind or _kind(examples, channels=channels)
        return cls._of(examples, kind, mean, deviation, stream)

    @classmethod
    def _of(
        cls,
        examples: np.ndarray,
        kind: str,
        mean: np.ndarray,
        deviation: np.ndarray,
        stream: SensorStream | None = None,
    ) -> ArrayFeatures:
        rules = ContractArrays.of(examples, kind, single(mean), single(deviation))
        return cls(examples.shape[1:], mean, deviation, rules, stream)

    @classmethod
    def restore(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> ArrayFeatures:
        shape, mean, deviation = settings["shape"], arrays["mean"], arrays["deviation"]
        if CONTRACT not in settings:
            return cls(shape, mean, deviation)
        stream = None if "stream" not in settings else SensorStream.from_json(settings["stream"])
        plain = cls(shape, mean, deviation)  # validates them
        rules = ContractArrays.restore(settings, arrays, plain._mean, plain._deviation)
        return cls(shape, mean, deviation, rules, stream)

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], type[np.number]]]:
        return {"x": ((1, *self._shape), np.float32)}

    @property
    def settings(self) -> dict[str, Any]:
        stream = {} if self.stream is None else {"stream": self.stream.to_json()}
        return {"shape": list(self._shape), **self._rules.contract, **stream}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return {"mean": self._mean, "deviation": self._deviation, **self._rules.arrays}

    def pack(self, examples: Sequence[Any]) -> np.ndarray:
        return np.stack([np.asarray(example) for example in examples])

    def unpack(self, packed: np.ndarray) -> list[np.ndarray]:
        return list(packed)

    def parse(self, line: str) -> Any:
        """Parse a line that contains an array in JSON."""
        try:
            return example_json(line)
        except ValueError as error:
            raise UsageError(f"not JSON: {line[:40]!r}: {error}") from None

    @property
    def fields(self) -> Fields:
        return {"x": (np.float32, self._shape)}

    @property
    def inputs(self) -> list[dict[str, Any]]:
        (x,) = described(self.fields)
        return [x | self._rules.described]

    def put_together(self, parts: Mapping[str, Any]) -> Any:
        return parts["x"]

    def take_apart(self, example: Any) -> Mapping[str, Any]:
        return {"x": example}

    def encode(self, example: Any, warnings: list[str] | None = None) -> dict[str, np.ndarray]:
        """Standardize the example.

        Raises:
            UsageError: it has another shape, contains anything but numbers, or is certainly or
                possibly on another scale than the training examples.
        """
        standard = (self._rules.read(example, self._shape) - self._mean) / self._deviation
        self._rules.judge(standard, warnings)
        standard[~np.isfinite(standard)] = 0
        return {"x": standard[None]}


def _kind(examples: np.ndarray, *, channels: bool) -> str:
    """Choose the kind of (examples, *shape) by the shape."""
    if examples.ndim == 2:
        return "table"
    return "window" if examples.ndim == 3 and channels else "image"
