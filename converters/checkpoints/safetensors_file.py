"""Reader of safetensors headers, for any bytes.

The format: 8 bytes with the length of the header, little-endian; the header, a JSON object of
tensors by name; their numbers, without gaps (https://github.com/huggingface/safetensors). No number
is read here, and no memory depends on what a header claims.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_experts.errors import CheckpointError
from edge_experts.format.bounded_read import open_regular
from edge_experts.format.limits import LIMITS
from edge_experts.format.strict_json import strict_json

SUFFIX = ".safetensors"
# Bytes of a number of each type in the format. Only those of `stored_numbers` can be converted.
_WIDTHS = {
    "F64": 8,
    "I64": 8,
    "U64": 8,
    "C64": 8,
    "F32": 4,
    "I32": 4,
    "U32": 4,
    "F16": 2,
    "BF16": 2,
    "I16": 2,
    "U16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "F8_E8M0": 1,
    "F8_E4M3FNUZ": 1,
    "F8_E5M2FNUZ": 1,
}
# Types of GGUF files: blocks of 32 numbers that share a scale, and their bytes.
BLOCK, BLOCK_BYTES = 32, {"Q4_0": 18, "Q4_1": 20, "Q8_0": 34}
_LENGTH = 8
_KEYS = {"dtype", "shape", "data_offsets"}


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file.

    Attributes:
        kind: type of its numbers, as the format names it: "F32", "BF16", "Q4_0", ...
        begin: offset of the first number in the file, in bytes.
        interleaved: width of the heads in whose rows the halves alternate; 0 for rows in order.
    """

    file: Path
    kind: str
    shape: tuple[int, ...]
    begin: int
    interleaved: int = 0

    @staticmethod
    def block_of(kind: str) -> int:
        """Return how many numbers a type stores together."""
        return BLOCK if kind in BLOCK_BYTES else 1

    def bytes_of(self, numbers: int) -> int:
        """Return the bytes of so many numbers, whole blocks of them."""
        if self.kind in BLOCK_BYTES:
            return numbers // BLOCK * BLOCK_BYTES[self.kind]
        return numbers * _WIDTHS[self.kind]

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)


def read_header(path: Path) -> dict[str, StoredTensor]:
    """Read the tensors in a file's header, by name, and check that they fill the file exactly.

    Raises:
        CheckpointError: the file is missing or not a safetensors file, or exceeds a limit.
        MachineError: the operating system does not permit the read.
    """
    file = open_regular(path)
    if file is None:
        raise CheckpointError(f"{path}: missing; download the checkpoint again")
    with file:
        size = file.seek(0, 2)
        file.seek(0)
        start = file.read(_LENGTH)
        length = int.from_bytes(start, "little")
        if len(start) < _LENGTH or length > size - _LENGTH:
            raise _damaged(path, "it ends within its header")
        if length > LIMITS.tensor_header_bytes:
            raise _damaged(path, f"its header has more than {LIMITS.tensor_header_bytes:,} bytes")
        raw = file.read(length)
    return parse_header(raw, path, size - _LENGTH - length)


def parse_header(raw: bytes, path: Path, size: int) -> dict[str, StoredTensor]:
    """Parse the JSON of a header.

    Args:
        path: of the file, for the tensors and errors.
        size: bytes of the file after the header.

    Raises:
        CheckpointError: as `read_header`.
    """
    if not raw.startswith(b"{"):
        raise _damaged(path, "its header is not a JSON object")
    try:
        content = strict_json(raw)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"its header cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise _damaged(path, "its header is not a JSON object")
    content.pop("__metadata__", None)
    if len(content) > LIMITS.checkpoint_tensors:
        raise _damaged(path, f"it has more than {LIMITS.checkpoint_tensors:,} tensors")
    begin, found = _LENGTH + len(raw), {}
    spans = []
    for name, one in content.items():
        kind, shape, (first, last) = _entry(path, name, one)
        if math.prod(shape) * _WIDTHS[kind] != last - first:
            raise _damaged(path, f"{name:.80}: {shape!s:.80} {kind} is not {last - first:,} bytes")
        spans.append((first, last))
        found[name] = StoredTensor(path, kind, shape, begin + first)
    place = 0
    for first, last in sorted(spans):
        if first != place:
            raise _damaged(path, f"its tensors overlap or leave a gap at byte {place:,}")
        place = last
    if place != size:
        raise _damaged(path, f"its tensors have {place:,} bytes, and the file {size:,}")
    return found


def _entry(path: Path, name: str, one: Any) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    """Return type, shape and offsets of one tensor."""
    if not isinstance(one, Mapping) or set(one) != _KEYS:
        raise _damaged(path, f"{name:.80}: must have dtype, shape and data_offsets")
    kind, shape, offsets = one["dtype"], one["shape"], one["data_offsets"]
    if not isinstance(kind, str) or kind not in _WIDTHS:
        raise _damaged(path, f"{name:.80}: dtype {kind!r:.40} is unknown")
    if not _are_counts(shape, LIMITS.tensor_rank):
        raise _damaged(path, f"{name:.80}: shape {shape!r:.80} is invalid")
    if not _are_counts(offsets, 2) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _damaged(path, f"{name:.80}: data_offsets {offsets!r:.80} are invalid")
    return kind, tuple(shape), (offsets[0], offsets[1])


def _are_counts(values: Any, most: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) <= most
        and all(type(value) is int and 0 <= value < 2**53 for value in values)
    )


def _damaged(path: Path, problem: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: is not a safetensors file that can be read: {problem}; download it again"
    )
