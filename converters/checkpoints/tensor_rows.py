"""Parameters of files, put together from a checkpoint's tensors and read in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .safetensors_file import StoredTensor
from .stored_numbers import chunks, read_numbers


@dataclass(frozen=True)
class Part:
    """Consecutive rows of a tensor, times a number.

    Attributes:
        first: the first row, of the tensor as a matrix with the given columns.
    """

    name: str
    tensor: StoredTensor
    rows: int
    columns: int
    first: int = 0
    factor: float = 1.0

    def read(self, first: int, count: int) -> np.ndarray:
        """Read rows, (count, columns) float32."""
        width = self.tensor.interleaved
        found = self._read(first, count) if not width else self._in_order(first, count, width)
        return found * np.float32(self.factor) if self.factor != 1 else found

    def _read(self, first: int, count: int) -> np.ndarray:
        at = (self.first + first) * self.columns
        found = read_numbers(self.tensor, self.name, at, count * self.columns)
        return found.reshape(count, self.columns)

    def _in_order(self, first: int, count: int, width: int) -> np.ndarray:
        """Read whole heads, and put the halves of each one below the other."""
        low, high = first // width * width, -(-(first + count) // width) * width
        heads = self._read(low, high - low).reshape(-1, width // 2, 2, self.columns)
        rows = heads.swapaxes(1, 2).reshape(-1, self.columns)
        return rows[first - low : first - low + count]


@dataclass(frozen=True)
class TensorRows:
    """A matrix of the rows of several parts, one below the other; without parts, of zeros."""

    parts: Sequence[Part]
    columns: int
    zeros: int = 0  # rows where there are no parts

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts) or self.zeros

    def read(self, first: int = 0, end: int | None = None) -> np.ndarray:
        """Read rows `first` to `end`, (rows, columns) float32; by default all."""
        end = self.rows if end is None else end
        if not self.parts:
            return np.zeros((end - first, self.columns), np.float32)
        found, start = [], 0
        for part in self.parts:
            low, high = max(first, start), min(end, start + part.rows)
            if low < high:
                found.append(part.read(low - start, high - low))
            start += part.rows
        return found[0] if len(found) == 1 else np.concatenate(found)

    def chunks(self) -> list[tuple[int, int]]:
        """Return ranges of rows that fit in memory."""
        return list(chunks(self.rows, self.columns))
