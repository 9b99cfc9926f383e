"""Weights of a model's file that the kernels have copied: the system takes their memory back.

XNNPACK computes with a packed copy of the weights, and LiteRT keeps the bytes of the file, which
are not read again. No documentation says so: callers compare an answer from before with one from
after.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import sys
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..format.tflite_buffers import Place, constants

# Operators that read all of their weights for any input, if their kernels have no copy: one answer
# tells whether they still do.
_COPYING = {"FULLY_CONNECTED"}
_DELEGATE = "DELEGATE"  # stands for the operators that XNNPACK computes
Range = tuple[int, int]  # addresses: first, and that after the last
LEAST_BYTES = 65536  # of weights that are worth it


def pages(interpreter: Any, content: bytes, name: str) -> list[Range]:
    """List the whole pages of a model's bytes that have weights only, of operators that copy them.

    Args:
        interpreter: of the package, opened on `content`.
        name: for errors.

    Raises:
        ModelError: the bytes are not a .tflite file.
    """
    if not _can_give_back():
        return []
    wrapped = interpreter._interpreter
    readers: defaultdict[int, set[str]] = defaultdict(set)  # of each tensor
    for node in range(wrapped.NumNodes()):
        for tensor in wrapped.NodeInputs(node).tolist():
            if tensor >= 0:  # -1: an input that is left out
                readers[tensor].add(wrapped.NodeName(node))
    places: defaultdict[Place, set[str]] = defaultdict(set)
    for tensor, place in constants(content, readers, name).items():
        places[place] |= readers[tensor]
    first, page = np.frombuffer(content, np.uint8).ctypes.data, mmap.PAGESIZE
    return [
        (-(-(first + start) // page) * page, (first + end) // page * page)
        for (start, end), names in places.items()
        if end - start >= LEAST_BYTES and names - {_DELEGATE} == _COPYING
    ]


def give_back(ranges: Iterable[Range]) -> int:
    """Give pages back to the system, which returns zeros for them; returns their bytes.

    It stops where the system refuses, for pages that are locked, for instance.
    """
    count = 0
    for first, end in ranges:
        if _libc().madvise(first, end - first, mmap.MADV_DONTNEED):
            break
        count += end - first
    return count


def _can_give_back() -> bool:
    return sys.platform == "linux" and _libc() is not None


@functools.cache
def _libc() -> Any:
    try:
        libc = ctypes.CDLL(None)
        libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    except (OSError, AttributeError):
        return None
    return libc
