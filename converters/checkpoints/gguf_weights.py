"""Weights of a GGUF file under their names in a Hugging Face folder, as float32.

Names are mapped by the `gguf` package, which dequantizes too. Where llama.cpp permutes the rows of
queries and keys for its rotary positions, they are put back in order.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.errors import DataError, MissingExtraError

from .gguf_header import BLOCK_TYPES, GgufHeader, GgufTensor

_EXPERT = re.compile(r"\.experts\.(\d+)\.")
_FUSED = ".block_sparse_moe.input_linear."  # gate and up of all experts, in files of Granite
_PERMUTED = re.compile(r"blk\.\d+\.attn_([qk])\.(weight|bias)")
# Architectures with llama.cpp's interleaved rotary positions.
_INTERLEAVED = ("llama", "granite", "granitemoe")


class GgufWeights:
    """Arrays of a file, read and dequantized one at a time.

    Args:
        heads: attention heads of queries and of keys.

    Raises:
        MissingExtraError: the package `gguf` is not installed.
    """

    def __init__(self, path: Path, header: GgufHeader, layers: int, heads: tuple[int, int]):
        self._path = path
        self._tensors = header.tensors
        self._architecture = str(header.metadata.get("general.architecture"))
        self._heads = dict(zip("qk", heads, strict=True))
        self._name_of = _name_map(self._architecture, layers)

    def __contains__(self, name: str) -> bool:
        return all(place is not None for place, _ in self._places(name))

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array without reading it.

        Raises:
            DataError: the file does not have it.
        """
        shapes = [
            tensor.shape if expert is None else tensor.shape[1:]
            for tensor, expert in self._found(name)
        ]
        if len(shapes) == 1:
            return shapes[0]
        return (shapes[0][0], sum(shape[1] for shape in shapes), *shapes[0][2:])

    def array(self, name: str, index: int | None = None) -> np.ndarray:
        """Read an array, or one expert's part of an array that has all experts.

        Raises:
            DataError: the file does not have it.
            MachineError: the file cannot be read.
        """
        parts = [
            self._read(tensor, index if expert is None else expert)
            for tensor, expert in self._found(name)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-2)

    def _found(self, name: str) -> list[tuple[GgufTensor, int | None]]:
        found = [(place, expert) for place, expert in self._places(name) if place is not None]
        if not found:
            raise DataError(f"{self._path}: has no tensor for {name}; download the file again")
        return found

    def _places(self, name: str) -> list[tuple[GgufTensor | None, int | None]]:
        if _FUSED in name:
            halves = [name.replace(_FUSED, f".mlp.experts.{part}_proj.") for part in ("gate", "up")]
            return [place for half in halves for place in self._places(half)]
        expert = _EXPERT.search(name)
        merged = _EXPERT.sub(".experts.", name)
        ours = self._name_of(merged)
        tensor = None if ours is None else self._tensors.get(ours)
        index = None if expert is None else int(expert[1])
        if tensor is not None and index is not None and not index < tensor.shape[0]:
            tensor = None
        return [(tensor, index)]

    def _read(self, tensor: GgufTensor, index: int | None) -> np.ndarray:
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize

        block = BLOCK_TYPES[tensor.kind]
        row = tensor.shape[-1] // block.numbers * block.bytes
        stored = np.memmap(
            self._path, np.uint8, "r", tensor.offset, shape=(*tensor.shape[:-1], row)
        )
        raw = np.ascontiguousarray(stored if index is None else stored[index])
        values = np.array(dequantize(raw, GGMLQuantizationType(tensor.kind)), np.float32)
        permuted = _PERMUTED.fullmatch(tensor.name)
        if permuted and self._architecture in _INTERLEAVED:
            return _halves(values, self._heads[permuted[1]])
        return values


def _name_map(architecture: str, layers: int) -> Callable[[str], str | None]:
    try:
        from gguf import get_tensor_name_map
        from gguf.constants import MODEL_ARCH_NAMES
    except ImportError:
        raise MissingExtraError("GGUF files", "gguf") from None
    numbers = {name: number for number, name in MODEL_ARCH_NAMES.items()}
    names: Any = get_tensor_name_map(numbers[architecture], layers)
    return lambda name: names.get_name(name, (".weight", ".bias"))


def _halves(values: np.ndarray, heads: int) -> np.ndarray:
    """Put rows of pairs (0, half), (1, half + 1) ... of each head into the order 0, 1, 2 ..."""
    pairs = values.reshape(heads, -1, 2, *values.shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(values.shape))
