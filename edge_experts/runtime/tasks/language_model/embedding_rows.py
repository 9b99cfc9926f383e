"""Rows of the embedding, read from their file as they are needed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import FileIO

import numpy as np

from ....errors import ModelError

SCALE_BYTES = 4  # before each row of int8


def row_bytes(units: int, kind: str) -> int:
    """Return the bytes of one row in the file."""
    return 4 * units if kind == "float32" else SCALE_BYTES + units


def packed_rows(table: np.ndarray, kind: str) -> bytes:
    """Pack rows for the file, little-endian.

    Args:
        table: (pieces, units) float32.
        kind: "float32"; or "int8": a scale in float32 before the integers of each row.
    """
    if kind == "float32":
        return table.astype("<f4").tobytes()
    scales = np.maximum(np.abs(table).max(axis=1), np.finfo(np.float32).tiny) / np.float32(127)
    steps = np.rint(table / scales[:, None]).astype(np.int8)
    return b"".join(
        scale.tobytes() + row.tobytes()
        for scale, row in zip(scales.astype("<f4"), steps, strict=True)
    )


class EmbeddingRows:
    """The embedding: tokens to rows (tokens, units) float32.

    Args:
        content: its open file, already checked.
        kind: as in `packed_rows`.

    Raises:
        ModelError: the file has not as many rows.
    """

    def __init__(self, content: FileIO, name: str, pieces: int, units: int, kind: str):
        self.content, self.name = content, name
        self._units, self._kind, self._bytes = units, kind, row_bytes(units, kind)
        size = os.fstat(content.fileno()).st_size
        if size != pieces * self._bytes:
            raise ModelError(
                f"{name}: must have {pieces:,} rows of {self._bytes:,} bytes, has {size:,} bytes"
            )

    def rows(self, tokens: Sequence[int]) -> np.ndarray:
        """Read the rows of tokens, (tokens, units) float32.

        Raises:
            ModelError: the file became shorter.
        """
        file, size = self.content.fileno(), self._bytes
        raw = b"".join(os.pread(file, size, token * size) for token in tokens)
        if len(raw) != size * len(tokens):
            raise ModelError(f"{self.name}: became shorter while it was in use; install it again")
        if self._kind == "float32":
            return np.frombuffer(raw, "<f4").reshape(len(tokens), self._units).astype(np.float32)
        packed = np.frombuffer(raw, np.uint8).reshape(len(tokens), size)
        scales = packed[:, :SCALE_BYTES].copy().view("<f4")
        rows: np.ndarray = packed[:, SCALE_BYTES:].view(np.int8) * scales
        return rows
