"""Choice between reads through the page cache and reads past it."""

from __future__ import annotations

from ..memory import cache_room

_SHARE = 4  # the page cache is used if it can hold a quarter of the files
_EVERY = 64  # reads for which a choice holds


class Reads:
    """Chooses how packed experts are read.

    Filling the page cache takes the processor longer than reading past it, several times as long
    where the system must first drop other pages. It pays where pages stay until they are needed
    again. Threads may share it: a choice that is made twice is the same.

    Args:
        total: bytes of all files that may be read.
    """

    def __init__(self, total: int):
        self._total, self._left, self._direct = total, 0, False

    def go_past_the_cache(self) -> bool:
        """Return True if the page cache cannot hold enough of the files."""
        if self._left <= 0:
            room = cache_room.read()
            self._direct = room is not None and _SHARE * room < self._total
            self._left = _EVERY
        self._left -= 1
        return self._direct
