"""Rows of weights as the bytes of a TFLite file, as LiteRT's quantizer makes them.

Rows do not depend on each other, so that a large weight is written in chunks. `templates` compares
the bytes with those of the quantizer itself whenever it makes a template.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

BLOCK = 32  # weights of 4 bits that share a scale
_LEAST = np.float32(1e-9)  # the quantizer's least bound, instead of a scale of 0
# Where a scale of a block is too small for float16, the quantizer divides by zero.
_LEAST_SCALE = np.float16(2.0**-14)
# Of the quantizer's scale, which makes the largest weight 7 steps; with 7/8 a negative one has 8.
_SHARES = (0.95, 0.9, 0.875, 0.85, 0.8, 0.75, 0.7)


class RowBytes(NamedTuple):
    """Bytes of rows: their numbers, and their scales, empty without quantization."""

    numbers: bytes
    scales: bytes


Encoder = Callable[[np.ndarray], RowBytes]


def float32(rows: np.ndarray) -> RowBytes:
    """Write rows as they are, little-endian."""
    return RowBytes(rows.astype("<f4", copy=False).tobytes(), b"")


def int8(rows: np.ndarray) -> RowBytes:
    """Quantize rows (rows, columns) to 8 bits with a scale for each row."""
    bound = np.maximum(np.abs(rows).max(axis=1), _LEAST)
    scales = (bound / np.float32(127)).astype(np.float32)
    steps = np.rint(rows / scales[:, None])
    numbers = np.clip(steps, -127, 127).astype(np.int8)
    return RowBytes(numbers.tobytes(), scales.astype("<f4").tobytes())


def int4(rows: np.ndarray) -> RowBytes:
    """Quantize rows (rows, columns) to 4 bits with a scale for each block of `BLOCK` columns."""
    blocks = rows.reshape(len(rows), -1, BLOCK)
    scales = _block_scales(blocks, 1.0)
    return _packed(_steps(blocks, scales), scales)


def closest_int4(rows: np.ndarray) -> RowBytes:
    """Quantize as `int4`, with the scale of each block that has the smallest squared error.

    A smaller scale than the quantizer's rounds all weights finer, and clips the largest one.
    """
    blocks = rows.reshape(len(rows), -1, BLOCK)
    chosen = _block_scales(blocks, 1.0)
    steps = _steps(blocks, chosen)
    least = _squared_error(blocks, steps, chosen)
    for share in _SHARES:
        scales = _block_scales(blocks, share)
        tried = _steps(blocks, scales)
        error = _squared_error(blocks, tried, scales)
        better = error < least
        least[better], chosen[better], steps[better] = error[better], scales[better], tried[better]
    return _packed(steps, chosen)


# The quantizer's rounding, which templates are checked by; and that of the files.
RECIPES = {"float32": float32, "int8": int8, "int4": int4}
WRITTEN = RECIPES | {"int4": closest_int4}


def _block_scales(blocks: np.ndarray, share: float) -> np.ndarray:
    bound = np.maximum(np.abs(blocks).max(axis=2), _LEAST) * np.float32(share)
    # As bfloat16 they have a mantissa of 7 bits, and are stored as float16.
    with np.errstate(over="ignore"):
        scales = _bfloat16(bound / np.float32(7)).astype(np.float16)
    scales[scales == 0] = _LEAST_SCALE
    return scales


def _steps(blocks: np.ndarray, scales: np.ndarray) -> np.ndarray:
    steps = np.rint(blocks / scales.astype(np.float32)[:, :, None])
    clipped: np.ndarray = np.clip(steps, -8, 7).astype(np.int8)
    return clipped


def _squared_error(blocks: np.ndarray, steps: np.ndarray, scales: np.ndarray) -> np.ndarray:
    rounded = steps * scales.astype(np.float32)[:, :, None]
    error: np.ndarray = np.square(rounded - blocks).sum(axis=2)
    return error


def _packed(steps: np.ndarray, scales: np.ndarray) -> RowBytes:
    numbers = steps.reshape(-1).view(np.uint8) & 15
    packed = numbers[::2] | (numbers[1::2] << 4)
    return RowBytes(packed.tobytes(), scales.astype("<f2").tobytes())


def _bfloat16(values: np.ndarray) -> np.ndarray:
    """Round float32 to bfloat16, to nearest even, kept as float32."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = bits + 0x7FFF + ((bits >> 16) & 1)
    made: np.ndarray = (rounded & np.uint32(0xFFFF0000)).view(np.float32)
    return made


def is_whole(scales: bytes, recipe: str) -> bool:
    """Test if all scales are finite numbers above zero."""
    kind = "<f2" if recipe == "int4" else "<f4"
    found = np.frombuffer(scales, kind)
    return bool((np.isfinite(found) & (found > 0)).all())
