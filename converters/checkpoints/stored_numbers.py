"""Numbers of a checkpoint's tensors as float32, read in parts."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from edge_experts.errors import CheckpointError
from edge_experts.format.bounded_read import open_regular

from .safetensors_file import BLOCK_BYTES, StoredTensor

_CHUNK = 2**22  # numbers that are in memory at once, when rows are read in chunks
KINDS = ("F32", "F16", "BF16", *BLOCK_BYTES)


def read_numbers(tensor: StoredTensor, name: str, first: int, count: int) -> np.ndarray:
    """Read `count` numbers from number `first` on, (count,) float32.

    Raises:
        CheckpointError: its type is not a float of 16 or 32 bits, a number is not finite, or the
            file became shorter.
    """
    if tensor.kind not in KINDS:
        raise CheckpointError(
            f"{tensor.file}: {name} has numbers of the type {tensor.kind}; the converter reads "
            f"{', '.join(KINDS[:3])}: take the checkpoint that was not quantized"
        )
    raw = _read(tensor, tensor.begin + tensor.bytes_of(first), tensor.bytes_of(count))
    if tensor.kind in BLOCK_BYTES:
        found = _blocks(tensor.kind, raw)
    elif tensor.kind == "F32":
        found = np.frombuffer(raw, "<f4").astype(np.float32, copy=False)
    elif tensor.kind == "F16":
        found = np.frombuffer(raw, "<f2").astype(np.float32)
    else:
        # The upper half of a float32.
        found = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    if not np.isfinite(found).all():
        raise CheckpointError(
            f"{tensor.file}: {name} has numbers that are not finite; the checkpoint is damaged"
        )
    return found


def _blocks(kind: str, raw: bytes) -> np.ndarray:
    """Compute the numbers of blocks, as the package `gguf` does."""
    rows = np.frombuffer(raw, np.uint8).reshape(-1, BLOCK_BYTES[kind])
    scale = rows[:, :2].copy().view("<f2").astype(np.float32)
    if kind == "Q8_0":
        made: np.ndarray = rows[:, 2:].view(np.int8).astype(np.float32) * scale
        return made.reshape(-1)
    packed = rows[:, -16:]
    # The first half of a block is in the lower four bits.
    steps = np.concatenate([packed & 15, packed >> 4], axis=1)
    if kind == "Q4_0":
        made = (steps.astype(np.int8) - 8).astype(np.float32) * scale
    else:
        made = steps.astype(np.float32) * scale + rows[:, 2:4].copy().view("<f2").astype(np.float32)
    return made.reshape(-1)


def chunks(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Divide rows into ranges that fit in memory: (first, end)."""
    step = max(1, _CHUNK // max(1, columns))
    for first in range(0, rows, step):
        yield first, min(rows, first + step)


def _read(tensor: StoredTensor, offset: int, size: int) -> bytes:
    # Not mapped: a file that becomes shorter would end the process.
    file = open_regular(tensor.file)
    if file is None:
        raise CheckpointError(f"{tensor.file}: missing; download the checkpoint again")
    with file:
        parts = []
        while size:
            part = os.pread(file.fileno(), size, offset)
            if not part:
                raise CheckpointError(f"{tensor.file}: became shorter while it was read")
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
    return b"".join(parts)
