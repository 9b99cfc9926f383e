"""Contract of arrays: statistics of the training data, and the conversions that they allow.

Some programs store images as bytes from 0 to 255, others as fractions from 0 to 1. Inputs that are
certainly on another scale are converted, and ambiguous ones are refused; inputs like those in the
training data are always accepted unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import UsageError
from ..format.limits import LIMITS

RULES = 1
KINDS = ("image", "window", "table")
_SCALES = ((127, 255), (32767, 65535))  # (least maximum, full scale) of images
_BLOCK = 2**22  # numbers
_ROUNDING = 1e-6  # of the scale: rounding error of float32
_TOLERANCE = 0.1  # of the range: overshoot of interpolation
_NEARBY = 1.0  # distance from the training range, in ranges, above which the user is warned
_FAR = 10.0  # distance above which the unit is considered different
_FAR_PIXEL = 4.0  # the same limit for one pixel
_FAINT = 4.0  # ratio to the faintest training example below which the scale is different


@dataclass(frozen=True)
class ArrayContract:
    """Statistics of the finite numbers in the training data.

    Attributes:
        dtype: name of numpy's type.
        range: smallest and largest number.
        kind: "image", "window" or "table".
        whole: True if all numbers are integers.
        faintest: minimum over examples of their largest magnitude, without examples of zeros.
        binary: True if some example consists of 0 and 1 only, with at least one 1.
    """

    dtype: str
    range: tuple[float, float]
    kind: str
    whole: bool
    faintest: float
    binary: bool

    @classmethod
    def of(cls, examples: np.ndarray, kind: str) -> ArrayContract:
        """Collect the statistics of training examples, (examples, *shape)."""
        whole, binary, peaks = True, False, [0.0]
        for block in _blocks(examples):
            known = block[np.isfinite(block)]
            whole = whole and bool((known == np.floor(known)).all())
            rows = np.nan_to_num(abs(block.reshape(len(block), -1)), posinf=0)
            peaks += rows.max(axis=1).tolist()
            ones = rows[rows.max(axis=1) == 1]
            binary = binary or bool(((ones == 0) | (ones == 1)).all(axis=1).any())
        low, high = ranges(examples, ())
        return cls(
            dtype=examples.dtype.name,
            range=(float(np.nan_to_num(low)), float(np.nan_to_num(high))),
            kind=kind,
            whole=whole,
            faintest=min(filter(None, peaks), default=0.0),
            binary=binary,
        )

    @classmethod
    def restore(cls, content: Any, shape: Sequence[int]) -> ArrayContract:
        """Read the contract that `to_json` wrote for examples of this shape.

        Raises:
            TypeError, ValueError: it is not such a contract.
        """
        if not isinstance(content, Mapping):
            raise ValueError("contract must be an object")
        known: dict[str, Any] = {name: content.get(name) for name in cls.__dataclass_fields__}
        low_high = known["range"]
        given = [*(low_high if isinstance(low_high, list) else ()), known["faintest"]]
        if len(given) != 3 or not all(type(number) in (int, float) for number in given):
            raise ValueError("contract must have a range of two numbers, and the faintest")
        low, high, faintest = map(float, given)
        if not (-math.inf < low <= high < math.inf and 0 <= faintest < math.inf):
            raise ValueError("contract must have a range that ascends")
        if known["kind"] not in KINDS or not isinstance(known["dtype"], str):
            raise ValueError(f"contract must have a dtype, and a kind of {', '.join(KINDS)}")
        if len(known["dtype"]) > LIMITS.name_characters or not known["dtype"].isidentifier():
            raise ValueError("contract must have a dtype of numpy")
        if not isinstance(known["whole"], bool) or not isinstance(known["binary"], bool):
            raise ValueError("contract must have true or false for 'whole' and 'binary'")
        contract = cls(
            known["dtype"], (low, high), known["kind"], known["whole"], faintest, known["binary"]
        )
        if dict(content) != contract.to_json(shape):
            raise ValueError(f"contract must be {contract.to_json(shape)}, got {content!s:.200}")
        return contract

    def to_json(self, shape: Sequence[int]) -> dict[str, Any]:
        """Format the contract in plain JSON values."""
        layout, colours = self._layout(shape)
        own = asdict(self) | {"range": list(self.range)}
        return {"rules": RULES, **own, "layout": layout, "colours": colours}

    @property
    def full_scale(self) -> int | None:
        """1, 255 or 65535 if images are certainly on that scale; else None."""
        low, high = self.range
        if self.kind != "image" or low < 0:
            return None
        if high <= 1:
            return 1 if high > 1 / 2 else None
        return next((scale for least, scale in _SCALES if least < high <= scale), None)

    def converted(self, array: np.ndarray, *, typed_whole: bool) -> np.ndarray:
        """Convert an image's numbers, (*shape) float32, to the scale of the training data.

        Args:
            typed_whole: True if their type is an integer type.

        Raises:
            UsageError: the scale is ambiguous; the message names the remedy.
        """
        is_image = self.kind == "image"
        if not is_image and not self.whole:
            return array
        low, high = _extremes(array)
        scale = self.full_scale
        if scale == 1:
            return self._on_unit_scale(array, low, high, typed_whole=typed_whole)
        is_faint = max(-low, high) < self.faintest / _FAINT
        is_unit = scale is not None and low >= 0 and 0 < high <= 1
        is_signed = scale is not None and low < 0 and high - low < scale / 8
        if (is_faint or is_unit or is_signed) and not typed_whole:
            fractions, has_units = _has_fractions(array), self.faintest <= 1
            if scale and is_unit and fractions and (self.whole or not has_units):
                return _rescaled(array, scale)
            if is_unit and not fractions and not has_units:
                raise self._refused(low, high, "only 0 and 1", f"give numbers from 0 to {scale}")
            if fractions and ((is_faint and self.whole) or is_signed):
                raise self._refused(low, high, "fractions", "undo the scaling")
        least, largest = self.range
        room = (largest - least) * _FAR_PIXEL if scale is None else scale * _TOLERANCE
        if is_image and room and (low < least - room or high > (scale or largest) + room):
            raise self._refused(low, high, "outside the range", "scale them alike")
        return array

    def _on_unit_scale(
        self, array: np.ndarray, low: float, high: float, *, typed_whole: bool
    ) -> np.ndarray:
        """Convert the numbers of an image whose training data was on the scale from 0 to 1."""
        if low >= -_TOLERANCE and high <= 1 + _TOLERANCE:
            if typed_whole and high == 1 and not self.binary:
                raise self._refused(low, high, "whole", "divide bytes by 255, or write 1.0")
            return array
        if low >= 0 and _SCALES[0][0] < high <= _SCALES[0][1]:
            return array / np.float32(255)
        raise self._refused(low, high, "outside the range", "divide by the largest possible value")

    def _refused(self, low: float, high: float, found: str, remedy: str) -> UsageError:
        least, largest = self.range
        numbers = "whole numbers" if self.whole else "numbers"
        return UsageError(
            f"x: values from {low:g} to {high:g} ({found}) are not on the scale of training, which "
            f"had {numbers} from {least:g} to {largest:g} ({self.dtype}); {remedy}"
        )

    def _layout(self, shape: Sequence[int]) -> tuple[str, str]:
        if self.kind == "image":
            grey = len(shape) == 2 or shape[-1] == 1
            return "HW" if len(shape) == 2 else "HWC", "grey" if grey else "not stated"
        return ("C" if len(shape) == 1 else "TC"), "none"


def ranges(examples: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Compute the smallest and largest finite number of examples, (examples, *shape), float32.

    Args:
        shape: () for all numbers, (channels,) for each channel; NaN for a channel without numbers.
    """
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
    for block in _blocks(examples):
        axes = tuple(range(block.ndim - len(shape)))
        finite = np.isfinite(block)
        low = np.minimum(low, np.min(block, axis=axes, where=finite, initial=np.inf))
        high = np.maximum(high, np.max(block, axis=axes, where=finite, initial=-np.inf))
    known = low <= high
    return (
        np.where(known, low, np.nan).astype(np.float32),
        np.where(known, high, np.nan).astype(np.float32),
    )


def outside(
    standard: np.ndarray, low: np.ndarray, high: np.ndarray, warnings: list[str] | None
) -> None:
    """Compare standardized numbers with the standardized ranges of the training data.

    Args:
        standard: (*shape) float32, with gaps as 0 or NaN.
        low, high: for each channel of the last axis, or for all; NaN without training data.
        warnings: receives a sentence about numbers far outside.

    Raises:
        UsageError: at least half of the numbers, or of one channel's in a window, are in another
            unit: farther from the range than ten times its width.
    """
    span = np.where(high > low, high - low, np.float32(1))
    with np.errstate(invalid="ignore"):
        distance = np.maximum(low - standard, standard - high) / span
        is_near = distance <= _NEARBY
        if (is_near | np.isnan(distance)).all():
            return
        far = distance > _FAR
    channels = _by_channel(far)
    if far.mean() >= 1 / 2 or (len(channels) > 1 and channels.mean(axis=0).max() >= 1 / 2):
        where = "" if far.mean() >= 1 / 2 else f" of channel {int(channels.mean(axis=0).argmax())}"
        raise UsageError(
            f"x: at least half of the values{where} are more than {_FAR:g} times the range of "
            "training outside of it; give them in the unit of the training data"
        )
    if warnings is not None:
        worst = np.unravel_index(int(np.nanargmax(distance)), standard.shape)
        warnings.append(
            f"x: values far outside the range of training, as at {list(map(int, worst))}; the "
            "answer may be wrong"
        )


def _blocks(examples: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the examples as float64, in blocks that need little memory."""
    size = max(1, _BLOCK // max(1, examples[:1].size))
    for start in range(0, len(examples), size):
        yield examples[start : start + size].astype(np.float64)


def _by_channel(flags: np.ndarray) -> np.ndarray:
    """Reshape to (times, channels); a table gives one row."""
    return flags.reshape(-1, flags.shape[-1])


def _rescaled(array: np.ndarray, scale: int) -> np.ndarray:
    """Scale fractions from 0 to 1 up to `scale`; former integers become integers again."""
    scaled = array * np.float32(scale)
    whole = np.rint(scaled)
    with np.errstate(invalid="ignore"):
        was_whole = (abs(scaled - whole) <= scale * _ROUNDING) | ~np.isfinite(scaled)
    return whole if was_whole.all() else scaled


def _extremes(array: np.ndarray) -> tuple[float, float]:
    """Compute the smallest and largest finite number; 0 and 0 if there is none."""
    low, high = float(array.min()), float(array.max())
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    known = array[np.isfinite(array)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)


def _has_fractions(array: np.ndarray) -> bool:
    with np.errstate(invalid="ignore"):
        return bool(((array != np.floor(array)) & np.isfinite(array)).any())
