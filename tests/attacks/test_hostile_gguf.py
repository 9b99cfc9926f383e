"""Hostile GGUF headers are used or refused, memory bounded."""

from __future__ import annotations

import contextlib
import tracemalloc
from pathlib import Path

import pytest
from edge_experts.converters.checkpoints.gguf_file import parse_gguf
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_experts.errors import CheckpointError

from .test_hostile_arrays import bounded


def _gguf(*parts: bytes | int, version: int = 3, tensors: int = 0, entries: int = 0) -> bytes:
    """Write a GGUF header; whole numbers have 8 bytes."""
    head = b"GGUF" + version.to_bytes(4, "little")
    numbers = (tensors, entries, *parts)
    return head + b"".join(
        part if isinstance(part, bytes) else part.to_bytes(8, "little") for part in numbers
    )


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "ends early"),
        (b"GGML" + bytes(40), "does not begin with GGUF"),
        (_gguf(version=1), "its version 1"),
        (_gguf(tensors=2**63), "more than 100,000 entries"),
        (_gguf(entries=1), "ends early"),
        (_gguf(2**60, b"a", entries=1), "ends early"),
        (_gguf(1, b"\xff", _u32(0), b"\0", entries=1), "can't decode"),
        (_gguf(1, b"a", _u32(99), entries=1), "unknown type 99"),
        (_gguf(1, b"a", _u32(9), _u32(0), 2**62, entries=1), "longer than its header"),
        (_gguf(1, b"a", _u32(9), _u32(9), 1, entries=1), "an array of arrays"),
        (_gguf(*(1, b"a", _u32(0), b"\0") * 2, entries=2), "stands twice"),
        (_gguf(1, b"a", _u32(9), tensors=1), "9 dimensions"),
        (_gguf(1, b"a", _u32(1), 33, _u32(2), 0, tensors=1), "has the shape"),
        (_gguf(1, b"a", _u32(1), 2**62, _u32(0), 0, tensors=1), "has the shape"),
        (_gguf(1, b"a", _u32(1), 32, _u32(12), 0, tensors=1), "weights of the type 12"),
        (_gguf(1, b"a", _u32(1), 32, _u32(0), 2**60, tensors=1), "lies beyond its end"),
    ],
)
def test_a_damaged_gguf_header_is_refused(content: bytes, told: str) -> None:
    with bounded(1_000_000), pytest.raises(CheckpointError, match=told):
        parse_gguf(content, Path("a.gguf"), len(content))


@settings(max_examples=300)
@given(content=st.binary(max_size=300), entries=st.integers(0, 3), tensors=st.integers(0, 3))
def test_any_bytes_are_read_or_refused(content: bytes, entries: int, tensors: int) -> None:
    tracemalloc.start()
    try:
        with contextlib.suppress(CheckpointError):
            parse_gguf(_gguf(content, entries=entries, tensors=tensors), Path("a.gguf"), 1000)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
