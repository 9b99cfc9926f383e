"""Reader of GGUF headers, for any bytes: metadata, and where each tensor lies.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Numbers are little-endian.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_experts.errors import CheckpointError
from edge_experts.format.bounded_read import open_regular
from edge_experts.format.limits import LIMITS

from .safetensors_file import StoredTensor

SUFFIX = ".gguf"
_MAGIC, _VERSIONS = b"GGUF", (2, 3)
# Types of tensors by their numbers in the format.
_KINDS = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 8: "Q8_0", 30: "BF16"}
_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING, _ARRAY = 8, 9
_ALIGNMENT = 32


@dataclass(frozen=True)
class GgufHeader:
    """Metadata by key, and tensors by name; shapes have rows first."""

    metadata: dict[str, Any]
    tensors: dict[str, StoredTensor]


def read_gguf(path: Path) -> GgufHeader:
    """Read the header of a GGUF file.

    Raises:
        CheckpointError: it is missing, damaged, exceeds a limit, or has a type of tensors that
            cannot be read.
        MachineError: the operating system does not permit the read.
    """
    file = open_regular(path)
    if file is None:
        raise CheckpointError(f"{path}: missing; download the checkpoint again")
    with file:
        size = file.seek(0, 2)
        file.seek(0)
        raw = file.read(min(size, LIMITS.tensor_header_bytes))
    return parse_gguf(raw, path, size)


def parse_gguf(raw: bytes, path: Path, size: int) -> GgufHeader:
    """Parse the first bytes of a file, which must have the whole header.

    Args:
        size: bytes of the file.
    """
    try:
        return _Parser(raw, path, size).header()
    except (struct.error, UnicodeDecodeError, _DamagedError, OverflowError) as error:
        raise CheckpointError(
            f"{path}: is not a GGUF file that can be read: {error}; download it again"
        ) from None


class _DamagedError(Exception):
    """The header breaks a rule of the format."""


class _Parser:
    def __init__(self, raw: bytes, path: Path, size: int):
        self._raw, self._path, self._size = raw, path, size
        self._place, self._values = 0, 0

    def header(self) -> GgufHeader:
        if self._take(4) != _MAGIC:
            raise _DamagedError("it does not begin with GGUF")
        version = self._number("<I")
        if version not in _VERSIONS:
            raise _DamagedError(f"its version {version} is not one of {_VERSIONS}")
        tensors, entries = self._number("<Q"), self._number("<Q")
        if max(tensors, entries) > LIMITS.checkpoint_tensors:
            raise _DamagedError(f"it has more than {LIMITS.checkpoint_tensors:,} entries")
        metadata: dict[str, Any] = {}
        for _ in range(entries):
            key = self._text()
            if key in metadata:
                raise _DamagedError(f"{key:.80} stands twice")
            metadata[key] = self._value(self._number("<I"))
        infos = [self._tensor() for _ in range(tensors)]
        alignment = metadata.get("general.alignment", _ALIGNMENT)
        if type(alignment) is not int or not 1 <= alignment <= 2**20:
            raise _DamagedError(f"general.alignment is {alignment!r:.40}")
        start = -(-self._place // alignment) * alignment
        found: dict[str, StoredTensor] = {}
        for name, kind, shape, offset in infos:
            tensor = StoredTensor(self._path, kind, shape, start + offset)
            if tensor.begin + tensor.bytes_of(tensor.numbers) > self._size:
                raise _DamagedError(f"{name:.80} lies beyond its end")
            if name in found:
                raise _DamagedError(f"{name:.80} stands twice")
            found[name] = tensor
        return GgufHeader(metadata, found)

    def _take(self, count: int) -> bytes:
        end = self._place + count
        if end > len(self._raw):
            raise _DamagedError("its header ends early, or is too long")
        found = self._raw[self._place : end]
        self._place = end
        return found

    def _number(self, form: str) -> Any:
        (value,) = struct.unpack(form, self._take(struct.calcsize(form)))
        return value

    def _text(self) -> str:
        return self._take(self._number("<Q")).decode("utf-8")

    def _value(self, kind: int) -> Any:
        self._values += 1
        if self._values > LIMITS.tokenizer_values:
            raise _DamagedError(f"it has more than {LIMITS.tokenizer_values:,} values")
        if kind == _STRING:
            return self._text()
        if kind in _SCALARS:
            return self._number(_SCALARS[kind])
        if kind != _ARRAY:
            raise _DamagedError(f"a value of the unknown type {kind}")
        inner, count = self._number("<I"), self._number("<Q")
        if inner == _ARRAY:
            raise _DamagedError("an array of arrays")
        if count > len(self._raw) - self._place:
            raise _DamagedError("an array is longer than its header")
        return [self._value(inner) for _ in range(count)]

    def _tensor(self) -> tuple[str, str, tuple[int, ...], int]:
        name, rank = self._text(), self._number("<I")
        if not 1 <= rank <= LIMITS.tensor_rank:
            raise _DamagedError(f"{name:.80} has {rank} dimensions")
        shape = tuple(reversed([self._number("<Q") for _ in range(rank)]))
        kind, offset = self._number("<I"), self._number("<Q")
        if kind not in _KINDS:
            raise CheckpointError(
                f"{self._path}: {name:.80} has weights of the type {kind}; the converter reads "
                f"{', '.join(_KINDS.values())}"
            )
        if math.prod(shape) > 2**53 or shape[-1] % StoredTensor.block_of(_KINDS[kind]):
            raise _DamagedError(f"{name:.80} has the shape {shape!s:.80}")
        return name, _KINDS[kind], shape, offset
