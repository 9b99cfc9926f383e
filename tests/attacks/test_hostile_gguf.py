"""Hostile GGUF headers are used or refused, memory bounded."""

from __future__ import annotations

import contextlib
import tracemalloc
from pathlib import Path

import pytest
from edge_experts.converters.checkpoints.gguf_header import read_header
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
        (b"", "too short for a GGUF"),
        (b"GGML" + bytes(40), "not a GGUF file"),
        (_gguf(version=1), "version 1 is not supported"),
        (_gguf(tensors=2**63), "tensors; at most 100000"),
        (_gguf(entries=1), "ends within its header"),
        (_gguf(2**60, b"a", entries=1), "text of .* bytes; at most"),
        (_gguf(1, b"\xff", _u32(0), b"\0", entries=1), "not UTF-8"),
        (_gguf(1, b"a", _u32(99), entries=1), "value of type 99"),
        (_gguf(1, b"a", _u32(9), _u32(0), 2**62, entries=1), "more than 4000000 values"),
        (_gguf(1, b"a", _u32(9), _u32(9), 1, entries=1), "ends within"),
        (_gguf(*(1, b"a", _u32(0), b"\0") * 2, entries=2), "has the key 'a' twice"),
        (_gguf(1, b"a", _u32(9), tensors=1), "9 dimensions"),
        (_gguf(1, b"a", _u32(1), 33, _u32(2), 0, tensors=1), "no multiple of 32"),
        (_gguf(1, b"a", _u32(1), 2**62, _u32(0), 0, tensors=1), "has the shape"),
        (_gguf(1, b"a", _u32(1), 32, _u32(77), 0, tensors=1), "ggml type 77"),
        (_gguf(1, b"a", _u32(1), 32, _u32(0), 2**60, tensors=1), "ends after the file"),
    ],
)
def test_a_damaged_gguf_header_is_refused(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(content)
    with bounded(1_000_000), pytest.raises(CheckpointError, match=rf"a\.gguf: .*{told}"):
        read_header(path)


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=300), entries=st.integers(0, 3), tensors=st.integers(0, 3))
def test_any_bytes_are_read_or_refused(
    content: bytes, entries: int, tensors: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.gguf"
    path.write_bytes(_gguf(content, entries=entries, tensors=tensors))
    tracemalloc.start()
    try:
        with contextlib.suppress(CheckpointError):
            read_header(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
