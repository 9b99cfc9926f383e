"""Arrays of untrusted .npz files, in bounded memory.

`np.load` allocates the size in an array's header, and inflates zip members, before the caller can
check either. Here both sizes are checked first, and arrays must consist of numbers.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

from .limits import LIMITS
from .zips import DAMAGED, open_zip, read_member

_NUMBERS = "biuf"  # kinds of dtype: bool, integers, floats
_FORMAT: Any = np.lib.format  # it has no type annotations
_HEADERS = {(1, 0): _FORMAT.read_array_header_1_0, (2, 0): _FORMAT.read_array_header_2_0}


def npz(**arrays: Any) -> bytes:
    """Write the content of a compressed .npz file.

    It is built in memory: on a full disk, numpy's own writer raises a second error that cannot be
    caught.
    """
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def plain_arrays(content: bytes) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file from its bytes; the arrays are read-only.

    Raises:
        ValueError: it is not an .npz file, contains anything but numbers, or exceeds a limit.
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
        raise ValueError(f"an array of {kind!s:.40} must contain numbers only")
    if len(shape) > LIMITS.tensor_rank:
        raise ValueError(f"an array of more than {LIMITS.tensor_rank} dimensions")
    if min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize != len(raw) - offset:
        raise ValueError(f"an array of shape {shape!r:.80} has another number of bytes")
    return np.ndarray(shape, kind, raw, offset, order="F" if fortran else "C")


def _header(raw: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Return the shape, the Fortran order flag, the dtype, and the offset of the numbers."""
    file = io.BytesIO(raw)
    try:
        version = _FORMAT.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"an array of format {version}")
        shape, fortran, kind = _HEADERS[version](file)
    except Exception as error:  # numpy raises a dozen classes for invalid bytes
        raise ValueError(f"an array's header cannot be read: {error!s:.80}") from None
    return shape, fortran, kind, file.tell()
