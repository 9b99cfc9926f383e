"""Arrays of an .npz whose bytes anyone may have made, in bounded memory.

`np.load` allocates what an array's header claims, and inflates what a zip holds, before anyone can
look. Here both are known first; and an array is made of nothing but numbers.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

from .limits import LIMITS
from .zips import DAMAGED, open_zip, read_member

_NUMBERS = "biuf"  # kinds of dtype: bool, integers, floats
_FORMAT: Any = np.lib.format  # it has no types
_HEADERS = {(1, 0): _FORMAT.read_array_header_1_0, (2, 0): _FORMAT.read_array_header_2_0}


def npz(**arrays: Any) -> bytes:
    """The content of a compressed .npz file.

    Made in memory: when the disk is full, numpy's own writer leaves a second error behind that
    nobody can catch.
    """
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def plain_arrays(content: bytes) -> dict[str, np.ndarray]:
    """The arrays in the bytes of an .npz file; they cannot be written to.

    Raises:
        ValueError: it is none, holds something else than numbers, or passes a limit.
    """
    try:
        with open_zip(io.BytesIO(content), LIMITS.arrays) as archive:
            left, arrays = LIMITS.array_bytes, {}
            for member in archive.filelist:
                raw = read_member(archive, member, left)
                left -= len(raw)
                arrays[member.filename.removesuffix(".npy")] = _array(raw)
            return arrays
    except DAMAGED as error:
        raise ValueError(str(error)) from None


def _array(raw: bytes) -> np.ndarray:
    shape, fortran, kind, offset = _header(raw)
    if kind.kind not in _NUMBERS:
        raise ValueError(f"an array of {kind!s:.40} holds something else than numbers")
    if len(shape) > LIMITS.tensor_rank:
        raise ValueError(f"an array of more than {LIMITS.tensor_rank} dimensions")
    if min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize != len(raw) - offset:
        raise ValueError(f"an array of shape {shape!r:.80} has another number of bytes")
    return np.ndarray(shape, kind, raw, offset, order="F" if fortran else "C")


def _header(raw: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether columns come first, dtype, and where the numbers begin."""
    file = io.BytesIO(raw)
    try:
        version = _FORMAT.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"an array of format {version}")
        shape, fortran, kind = _HEADERS[version](file)
    except Exception as error:  # numpy has a dozen kinds of them for odd bytes
        raise ValueError(f"an array's header cannot be read: {error!s:.80}") from None
    return shape, fortran, kind, file.tell()
