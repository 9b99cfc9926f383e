"""Memory that a request needs beside the models: keys and values, and buffers."""

from __future__ import annotations

from .layered_network import CHUNK, ROWS

# Bytes that an interpreter allocates once, at a process's first model: 0.9 MB by LiteRT 2.3.
STARTED = 1_500_000


def cache_row_bytes(layers: int, key_heads: int, width: int) -> int:
    """Return the bytes of one token's keys and values in all layers."""
    return 2 * layers * key_heads * width * 4


def buffer_bytes(units: int, pieces: int, context: int) -> int:
    """Return the bytes of one step's arrays: logits, and those of a chunk's rows."""
    return 4 * (2 * pieces + CHUNK * 8 * units + ROWS * 4 * context)


def sequence_bytes(
    layers: int, key_heads: int, width: int, units: int, pieces: int, context: int
) -> int:
    """Return the bytes that one sequence needs, approximately, with what a process needs once."""
    rows = cache_row_bytes(layers, key_heads, width)
    return rows * context + buffer_bytes(units, pieces, context) + STARTED
