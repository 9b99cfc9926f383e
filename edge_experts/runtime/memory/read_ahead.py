"""Threads that read experts which a request is about to use, while it uses those in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from .residency import Residency
from .slot import Slot

_THREADS = 4  # fast storage is idle while two of them check what they read
_of_thread = threading.local()  # `begun`: a request waits for it until the thread reads


def tell_reading() -> None:
    """Tell the request that waits in `expect` that this thread is about to read."""
    begun: threading.Semaphore | None = getattr(_of_thread, "begun", None)
    if begun is not None:
        _of_thread.begun = None
        begun.release()


class ReadAhead:
    """Loads experts in threads of its own."""

    def __init__(self, experts: Residency):
        from concurrent.futures import ThreadPoolExecutor  # slow to import

        self._experts = experts
        self._threads = ThreadPoolExecutor(_THREADS, "read-ahead")  # starts them when needed

    def expect(self, wanted: Sequence[int]) -> None:
        """Begin to load the first of these experts that are not in memory, and evict none of them.

        Only the next few: memory that is taken for a later one could serve an earlier one first.
        It returns when all are being read. Up to there a thread needs Python's lock, which the
        caller keeps while it computes: the storage would wait for the end of the computation.
        """
        begun = threading.Semaphore(0)
        while (slot := self._experts.reserve(wanted, _THREADS)) is not None:
            self._threads.submit(self._fill, slot, begun)
            begun.acquire()

    def stop(self) -> None:
        """End the threads, after what they have begun."""
        self._threads.shutdown()

    def _fill(self, slot: Slot, begun: threading.Semaphore) -> None:
        _of_thread.begun = begun
        try:
            self._experts.fill(slot)
        finally:
            tell_reading()  # it failed before
