"""The pieces of a vocabulary in a fifth of the memory that a dict of them takes.

A dict of 8,000 pieces takes more than a megabyte, as much as many an expert. These are their bytes,
and their hashes in order, to be searched in halves.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

import numpy as np

_END = b"\n"


class Lexicon:
    """Pieces, each with its place.

    Args:
        packed: the pieces in UTF-8, a line feed between two of them.

    Raises:
        ValueError: that is no UTF-8, or a piece stands twice.
    """

    def __init__(self, packed: bytes):
        packed.decode("utf-8")
        self.packed = packed
        ends = np.flatnonzero(np.frombuffer(packed + _END, np.uint8) == ord(_END))
        self._starts = np.concatenate([[0], ends + 1]).astype(np.int32).data
        count = len(ends)
        # One after the other: what a list of all pieces leaves behind would stay with the process.
        hashes = np.fromiter((hash(self[place]) for place in range(count)), np.int64, count)
        order = np.argsort(hashes).astype(np.int32)
        ordered = hashes[order]
        # Of 64 bits: different pieces share one about once in 10^11 vocabularies.
        if (ordered[1:] == ordered[:-1]).any():
            raise ValueError("a piece stands twice among the pieces")
        self._places, self._hashes = order.data, ordered.data

    @classmethod
    def of(cls, pieces: Iterable[str]) -> Lexicon:
        return cls("\n".join(pieces).encode())

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, place: int) -> bytes:
        """The piece at a place, in UTF-8."""
        return self.packed[self._starts[place] : self._starts[place + 1] - 1]

    def place(self, piece: bytes) -> int | None:
        """Where a piece stands, in UTF-8, if it does."""
        wanted = hash(piece)
        at = bisect_left(self._hashes, wanted)
        if at == len(self) or self._hashes[at] != wanted or self[self._places[at]] != piece:
            return None
        return self._places[at]
