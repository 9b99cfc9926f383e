"""Conversion of users' arrays to numpy arrays of the features' shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import UsageError

_KINDS = {
    "b": "true or false",
    "c": "complex numbers",
    "M": "dates",
    "m": "durations",
    "S": "bytes",
    "U": "texts",
    "V": "records",
    "O": "objects",
}
_COLOURS = (1, 2, 3, 4)  # channels of an image


def numbers(example: Any, name: str = "x", *, booleans: bool = False) -> np.ndarray:
    """Convert the example to an array of integers or floats; None, as in JSON, becomes NaN.

    Args:
        name: the field's name in errors.
        booleans: accept true and false as numbers, because the training data had them.

    Raises:
        UsageError: it is not an array, or contains anything but numbers.
    """
    if isinstance(example, np.ma.MaskedArray):
        example = np.where(np.ma.getmaskarray(example), np.nan, example.data)  # type: ignore[no-untyped-call]
    try:
        array = np.asarray(example)
        if array.dtype.kind == "O":
            array = _with_gaps(array)
    except Exception:  # numpy raises many classes, and so do classes with __array__
        raise _refused(name) from None
    has_booleans = array.dtype.kind == "b" or (
        isinstance(example, list | tuple) and _has_booleans(example)
    )
    if has_booleans and not booleans:
        raise UsageError(
            f"{name}: an example must be an array of numbers, got true or false; give 0 and 1, or "
            "the numbers that training had"
        )
    if array.dtype.kind not in "buif":
        raise _refused(name, _KINDS.get(array.dtype.kind, str(array.dtype)))
    return array


def shaped(
    array: np.ndarray, shape: tuple[int, ...], name: str = "x", *, is_image: bool = False
) -> np.ndarray:
    """Reshape the array to the shape of an example, if that is unambiguous.

    Axes of length 1 may be added or removed: a batch of one, the channel of a grey image. An image
    may have its channels first, and a grey one may have three equal channels.

    Raises:
        UsageError: it has another shape; the message names the remedy.
    """
    if array.shape == shape:
        return array
    if _without_ones(array.shape) == _without_ones(shape):
        return array.reshape(shape)
    inner = array.reshape(array.shape[1:]) if array.shape[:1] == (1,) else array
    if is_image:
        if _is_channels_first(inner.shape, shape):
            return inner.transpose(1, 2, 0)
        grey = inner.ndim == 3 and inner.shape[-1] == 3 and inner.shape[:2] == shape[:2]
        if grey and len(shape) + (shape[-1] != 1) == 3 and bool((inner == inner[..., :1]).all()):
            return inner[..., 0].reshape(shape)
    raise UsageError(
        f"{name}: an example must have the shape {shape}, got {array.shape}"
        f"{_remedy(array.shape, shape, is_image=is_image)}"
    )


def _is_channels_first(given: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    if len(shape) != 3 or shape[-1] not in _COLOURS or min(shape[:2]) <= shape[-1]:
        return False
    return given == (shape[2], *shape[:2])


def _remedy(given: tuple[int, ...], shape: tuple[int, ...], *, is_image: bool) -> str:
    if given[1:] == shape:
        return f": these are {given[0]} examples; give one at a time"
    if len(given) == len(shape) > 1 and sorted(given) == sorted(shape):
        return "; transpose it"
    if math.prod(given) == math.prod(shape):
        return "; reshape it"
    if is_image and given[:2] == shape[:2] and len(given) in (2, 3):
        return "; training had images with another number of colours: convert it"
    return "; resize it" if is_image and len(given) == len(shape) else ""


def _refused(name: str, found: str = "") -> UsageError:
    return UsageError(
        f"{name}: an example must be an array of numbers, all rows alike"
        + (f", got {found}" if found else "")
    )


def _without_ones(shape: Sequence[int]) -> list[int]:
    return [size for size in shape if size != 1]


def _with_gaps(array: np.ndarray) -> np.ndarray:
    """Convert Python's numbers and None to float64; other objects are returned unchanged."""
    values = array.ravel().tolist()
    if not array.ndim or not all(value is None or type(value) in (int, float) for value in values):
        return array
    return array.astype(np.float64)


def _has_booleans(example: Sequence[Any]) -> bool:
    kinds = set(map(type, example))
    if bool in kinds:
        return True
    nested = not kinds.isdisjoint((list, tuple))
    return nested and any(
        isinstance(each, list | tuple) and _has_booleans(each) for each in example
    )
