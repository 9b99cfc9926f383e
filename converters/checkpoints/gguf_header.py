"""Header of a GGUF file: metadata and the places of its tensors.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The header is checked in bounded
memory before a tensor is read; any bytes give a header or a `CheckpointError`.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_experts.errors import CheckpointError
from edge_experts.format.bounded_read import open_regular
from edge_experts.format.limits import LIMITS

MAGIC = b"GGUF"
_VERSIONS = (2, 3)  # 1 had 32-bit counts and is extinct
_NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 10: "<Q", 11: "<q"}
_NUMBERS[12] = "<d"
_BOOL, _TEXT, _ARRAY = 7, 8, 9
_DEFAULT_ALIGNMENT = 32


@dataclass(frozen=True)
class BlockType:
    """Storage of numbers: `bytes` for each block of `numbers` neighbours of a row."""

    name: str
    numbers: int
    bytes: int


# By ggml's number of the type.
BLOCK_TYPES = {
    0: BlockType("F32", 1, 4),
    1: BlockType("F16", 1, 2),
    2: BlockType("Q4_0", 32, 18),
    3: BlockType("Q4_1", 32, 20),
    6: BlockType("Q5_0", 32, 22),
    7: BlockType("Q5_1", 32, 24),
    8: BlockType("Q8_0", 32, 34),
    10: BlockType("Q2_K", 256, 84),
    11: BlockType("Q3_K", 256, 110),
    12: BlockType("Q4_K", 256, 144),
    13: BlockType("Q5_K", 256, 176),
    14: BlockType("Q6_K", 256, 210),
    30: BlockType("BF16", 1, 2),
}


@dataclass(frozen=True)
class GgufTensor:
    """Place of a tensor.

    Attributes:
        shape: in numpy's order, rows last but one; GGUF's reversed.
        kind: ggml's number of the type, a key of `BLOCK_TYPES`.
        offset: of its first byte in the file.
        size: in bytes.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int
    size: int


@dataclass(frozen=True)
class GgufHeader:
    """Metadata by key, and tensors by name."""

    metadata: dict[str, Any]
    tensors: dict[str, GgufTensor]


def read_header(path: Path) -> GgufHeader:
    """Read and check the header of a GGUF file.

    Raises:
        CheckpointError: it is not a GGUF file, is damaged or exceeds a limit.
        MachineError: the operating system does not permit the read.
    """
    file = open_regular(path)
    if file is None:
        raise CheckpointError(f"{path}: not a file")
    with file:
        if file.seek(0, 2) < 24:
            raise CheckpointError(f"{path}: too short for a GGUF file")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _Reader(path, content).header()


class _Reader:
    """Position in the header; each read is checked against the end of the file."""

    def __init__(self, path: Path, content: mmap.mmap):
        self._path = path
        self._content = content
        self._at = 0
        self._values = 0

    def header(self) -> GgufHeader:
        if self._bytes(4) != MAGIC:
            raise self._refusal("not a GGUF file")
        version = self._number("<I")
        if version not in _VERSIONS:
            raise self._refusal(f"GGUF version {version} is not supported, only 2 and 3")
        tensors, entries = self._number("<Q"), self._number("<Q")
        if tensors > LIMITS.checkpoint_tensors:
            raise self._refusal(f"{tensors} tensors; at most {LIMITS.checkpoint_tensors}")
        self._count(entries)
        metadata: dict[str, Any] = {}
        for _ in range(entries):
            key = self._text()
            if key in metadata:
                raise self._refusal(f"has the key {key!r:.80} twice")
            metadata[key] = self._value(self._number("<I"))
        places = [self._place() for _ in range(tensors)]
        return GgufHeader(metadata, self._tensors(places, metadata))

    def _tensors(
        self, places: list[tuple[str, tuple[int, ...], int, int]], metadata: dict[str, Any]
    ) -> dict[str, GgufTensor]:
        alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
        if type(alignment) is not int or not 1 <= alignment <= 2**20:
            raise self._refusal(f"general.alignment is {alignment!r:.40}")
        start = -(-self._at // alignment) * alignment
        tensors = {}
        end = start
        for name, shape, kind, offset in sorted(places, key=lambda place: place[3]):
            block = BLOCK_TYPES.get(kind)
            if block is None:
                raise self._refusal(
                    f"tensor {name!r:.80} has ggml type {kind}, which is not supported: "
                    f"{', '.join(one.name for one in BLOCK_TYPES.values())}"
                )
            if shape[-1] % block.numbers:
                raise self._refusal(f"rows of {name!r:.80} are no multiple of {block.numbers}")
            size = math.prod(shape) // block.numbers * block.bytes
            if start + offset < end or start + offset + size > len(self._content):
                raise self._refusal(f"tensor {name!r:.80} overlaps another or ends after the file")
            end = start + offset + size
            if name in tensors:
                raise self._refusal(f"has the tensor {name!r:.80} twice")
            tensors[name] = GgufTensor(name, shape, kind, start + offset, size)
        return tensors

    def _place(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._text()
        rank = self._number("<I")
        if not 1 <= rank <= 4:
            raise self._refusal(f"tensor {name!r:.80} has {rank} dimensions; 1 to 4 are possible")
        shape = tuple(self._number("<Q") for _ in range(rank))[::-1]
        if not all(1 <= size <= LIMITS.file_bytes for size in shape):
            raise self._refusal(f"tensor {name!r:.80} has the shape {shape}")
        return name, shape, self._number("<I"), self._number("<Q")

    def _value(self, kind: int, depth: int = 0) -> Any:
        if kind in _NUMBERS:
            return self._number(_NUMBERS[kind])
        if kind == _BOOL:
            return self._bytes(1) != b"\0"
        if kind == _TEXT:
            return self._text()
        if kind != _ARRAY or depth == LIMITS.nesting:
            raise self._refusal(f"has a value of type {kind} at byte {self._at}")
        item, count = self._number("<I"), self._number("<Q")
        self._count(count)
        if item in _NUMBERS:  # at once, since a vocabulary has hundreds of thousands
            code = _NUMBERS[item][1]
            raw = self._bytes(count * struct.calcsize(code))
            return list(struct.unpack(f"<{count}{code}", raw))
        read: Callable[[], Any] = (
            self._text if item == _TEXT else lambda: self._value(item, depth + 1)
        )
        return [read() for _ in range(count)]

    def _count(self, values: int) -> None:
        self._values += values
        if self._values > LIMITS.gguf_values:
            raise self._refusal(f"has more than {LIMITS.gguf_values} values")

    def _text(self) -> str:
        length = self._number("<Q")
        if length > LIMITS.gguf_text_bytes:
            raise self._refusal(f"has a text of {length} bytes; at most {LIMITS.gguf_text_bytes}")
        try:
            return self._bytes(length).decode("utf-8")
        except UnicodeDecodeError:
            raise self._refusal(f"has a text that is not UTF-8 at byte {self._at}") from None

    def _number(self, code: str) -> Any:
        return struct.unpack(code, self._bytes(struct.calcsize(code)))[0]

    def _bytes(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._content):
            raise self._refusal(f"ends within its header, at byte {len(self._content)}")
        found = self._content[self._at : end]
        self._at = end
        return found

    def _refusal(self, reason: str) -> CheckpointError:
        return CheckpointError(
            f"{self._path}: {reason}; download the file again, or choose another"
        )
