"""Threads that read experts which a request is about to use, while it uses those in memory."""

from __future__ import annotations

from collections.abc import Sequence

from .residency import Residency

_THREADS = 4  # fast storage is idle while two of them check what they read


class ReadAhead:
    """Loads experts in threads of its own."""

    def __init__(self, experts: Residency):
        from concurrent.futures import ThreadPoolExecutor  # slow to import

        self._experts = experts
        self._threads = ThreadPoolExecutor(_THREADS, "read-ahead")  # starts them when needed

    def expect(self, wanted: Sequence[int]) -> None:
        """Begin to load the first of these experts that are not in memory, and evict none of them.

        Only the next few: memory that is taken for a later one could serve an earlier one first.
        """
        for slot in self._experts.reserve(wanted, _THREADS):
            self._threads.submit(self._experts.fill, slot)

    def stop(self) -> None:
        """End the threads, after what they have begun."""
        self._threads.shutdown()
