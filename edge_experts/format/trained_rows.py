"""Hashes of the rows that a bundle was trained on, so that `evaluate` can leave them out.

A file contains a multiset of 40-bit numbers in ascending order in Elias-Fano coding (high bits in
unary, low bits unchanged), about 3.5 bytes a row, and the probability that a new row of such data
equals one of them by chance. It is part of the bundle; a device does not load it to answer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np

BITS = 40  # of a hash: two different rows of 60,000 collide with a probability of 0.2 %
FOLDER = "trained_rows"
_HEADER = struct.Struct("<4sBBQd")
_MAGIC, _VERSION = b"EETR", 1
MOST_ROWS = 2**22  # in a file: bounds the memory of a read


def rows_path(index: int) -> str:
    """Return the path of the hashes of a training, in run folders and in bundles."""
    return f"{FOLDER}/{index:03d}.bin"


@dataclass(frozen=True)
class TrainedRows:
    """Rows of a training: its training and validation split.

    Attributes:
        hashes: ascending, repeated as often as the row occurs in the data, (rows,) uint64.
        chance: probability that a new row of the same source equals one of them.
    """

    hashes: np.ndarray
    chance: float = 0.0

    @classmethod
    def union(cls, parts: Iterable[TrainedRows]) -> TrainedRows:
        """Join the rows of several trainings, such as those of a run and its extension."""
        return reduce(
            lambda one, other: cls(
                np.sort(np.concatenate([one.hashes, other.hashes])), max(one.chance, other.chance)
            ),
            parts,
            cls(np.empty(0, np.uint64)),
        )

    def to_bytes(self) -> bytes:
        """Encode the content of a file."""
        count = len(self.hashes)
        low_bits = _low_bits(count)
        low = self.hashes & np.uint64((1 << low_bits) - 1)
        high = (self.hashes >> np.uint64(low_bits)).astype(np.int64)
        unary = np.zeros(count + (1 << (BITS - low_bits)), np.uint8)
        unary[high + np.arange(count)] = 1
        header = _HEADER.pack(_MAGIC, _VERSION, low_bits, count, self.chance)
        return header + np.packbits(_bits(low, low_bits)).tobytes() + np.packbits(unary).tobytes()

    @classmethod
    def from_bytes(cls, content: bytes) -> TrainedRows:
        """Decode the content of a file.

        Raises:
            ValueError: it is not such a file.
        """
        if len(content) < _HEADER.size:
            raise ValueError("it is too short")
        magic, version, low_bits, count, chance = _HEADER.unpack_from(content)
        if magic != _MAGIC or version != _VERSION:
            raise ValueError("it does not begin as a file of hashes")
        if count > MOST_ROWS or low_bits != _low_bits(count) or not 0 <= chance <= 1:
            raise ValueError("its header makes no sense")
        places = count + (1 << (BITS - low_bits))
        middle = _HEADER.size + -(-count * low_bits // 8)
        if len(content) != middle + -(-places // 8):
            raise ValueError("its length differs from the one in its header")
        raw = np.frombuffer(content, np.uint8)
        low = np.unpackbits(raw[_HEADER.size : middle], count=count * low_bits)
        ones = np.flatnonzero(np.unpackbits(raw[middle:], count=places))
        if len(ones) != count:
            raise ValueError("its number of rows differs from the one in its header")
        high = (ones - np.arange(count)).astype(np.uint64)
        hashes = high << np.uint64(low_bits) | _numbers(low.reshape(count, low_bits))
        if (np.diff(hashes.astype(np.int64)) < 0).any():
            raise ValueError("its rows are not in order")
        return cls(hashes, chance)


def _low_bits(count: int) -> int:
    """Choose the number of bits not coded in unary, so that unary codes take two bits a row."""
    return max(0, min(BITS - 1, BITS - max(1, count).bit_length() + 1))


def _bits(numbers: np.ndarray, width: int) -> np.ndarray:
    """Split numbers into their lowest bits, the highest of them first: (numbers, width) uint8."""
    found = np.empty((len(numbers), width), np.uint8)
    for place in range(width):
        found[:, place] = (numbers >> np.uint64(width - 1 - place)) & np.uint64(1)
    return found


def _numbers(bits: np.ndarray) -> np.ndarray:
    """Join bits to numbers, (numbers, width) to (numbers,) uint64; the inverse of `_bits`."""
    numbers = np.zeros(len(bits), np.uint64)
    for place in range(bits.shape[1]):
        numbers = numbers << np.uint64(1) | bits[:, place]
    return numbers
