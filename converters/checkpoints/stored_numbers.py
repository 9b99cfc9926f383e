"""Numbers of a checkpoint's tensors as float32, read in parts."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from edge_experts.errors import CheckpointError, MissingExtraError
from edge_experts.format.bounded_read import open_regular

from .gguf_header import BLOCK_TYPES
from .safetensors_file import StoredTensor

_CHUNK = 2**22  # numbers that are in memory at once, when rows are read in chunks
KINDS = ("F32", "F16", "BF16")
_BLOCKS = {block.name: block for block in BLOCK_TYPES.values() if block.name not in KINDS}


def read_numbers(tensor: StoredTensor, name: str, first: int, count: int) -> np.ndarray:
    """Read `count` numbers from number `first` on, (count,) float32.

    Raises:
        CheckpointError: its type is not a float of 16 or 32 bits, a number is not finite, or the
            file became shorter.
    """
    if tensor.kind in _BLOCKS:
        found = _dequantized(tensor, first, count)
    elif tensor.kind not in KINDS:
        raise CheckpointError(
            f"{tensor.file}: {name} has numbers of the type {tensor.kind}; the converter reads "
            f"{', '.join(KINDS)}: take the checkpoint that was not quantized"
        )
    else:
        raw = _read(tensor, tensor.begin + first * tensor.width, count * tensor.width)
        found = _floats(tensor.kind, raw)
    if not np.isfinite(found).all():
        raise CheckpointError(
            f"{tensor.file}: {name} has numbers that are not finite; the checkpoint is damaged"
        )
    return found


def _floats(kind: str, raw: bytes) -> np.ndarray:
    if kind == "F32":
        return np.frombuffer(raw, "<f4").astype(np.float32, copy=False)
    if kind == "F16":
        return np.frombuffer(raw, "<f2").astype(np.float32)
    # The upper half of a float32.
    return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)


def _dequantized(tensor: StoredTensor, first: int, count: int) -> np.ndarray:
    """Read numbers of GGUF's blocks; rows are whole blocks."""
    try:
        from gguf import GGMLQuantizationType, quants
    except ModuleNotFoundError:
        raise MissingExtraError("gguf", "gguf") from None
    block = _BLOCKS[tensor.kind]
    offset = tensor.begin + first // block.numbers * block.bytes
    raw = np.frombuffer(_read(tensor, offset, count // block.numbers * block.bytes), np.uint8)
    kind = GGMLQuantizationType[tensor.kind]
    with np.errstate(all="ignore"):  # damaged scales are found afterwards
        found = quants.dequantize(raw.reshape(-1, block.bytes), kind)
    return np.asarray(found, np.float32).reshape(-1)


def stored_bytes(tensor: StoredTensor) -> int:
    """Return the size of a tensor in its file."""
    block = _BLOCKS.get(tensor.kind)
    if block is None:
        return tensor.numbers * tensor.width
    return tensor.numbers // block.numbers * block.bytes


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
