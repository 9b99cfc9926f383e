"""Vocabulary of pieces in a fifth of the memory of a dict.

A dict of 8,000 pieces takes more than a megabyte, as much as many an expert. Here the pieces are
bytes, with their sorted hashes for binary search.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

import numpy as np

_END = b"\n"


class Lexicon:
    """Pieces and their indices.

    Args:
        packed: the pieces in UTF-8, separated by line feeds.

    Raises:
        ValueError: it is not UTF-8, or a piece occurs twice.
    """

    def __init__(self, packed: bytes):
        packed.decode("utf-8")
        self.packed = packed
        ends = np.flatnonzero(np.frombuffer(packed + _END, np.uint8) == ord(_END))
        self._starts = np.concatenate([[0], ends + 1]).astype(np.int32).data
        count = len(ends)
        # One after the other: the memory of a list of all pieces would stay with the process.
        hashes = np.fromiter((hash(self[place]) for place in range(count)), np.int64, count)
        order = np.argsort(hashes).astype(np.int32)
        ordered = hashes[order]
        # Of 64 bits: two pieces collide about once in 10^11 vocabularies.
        if (ordered[1:] == ordered[:-1]).any():
            raise ValueError("a piece occurs twice in the vocabulary")
        self._places, self._hashes = order.data, ordered.data

    @classmethod
    def of(cls, pieces: Iterable[str]) -> Lexicon:
        return cls("\n".join(pieces).encode())

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, place: int) -> bytes:
        """Return the piece at an index, in UTF-8."""
        return self.packed[self._starts[place] : self._starts[place + 1] - 1]

    def place(self, piece: bytes) -> int | None:
        """Return the index of a piece in UTF-8; None if it is not in the vocabulary."""
        wanted = hash(piece)
        at = bisect_left(self._hashes, wanted)
        if at == len(self) or self._hashes[at] != wanted or self[self._places[at]] != piece:
            return None
        return self._places[at]
