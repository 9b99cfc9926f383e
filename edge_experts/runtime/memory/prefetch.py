"""Prefetching: loads the expert that is probably needed next while no answer waits for it.

The prediction is a first-order table of transitions between experts, of constant size. Old counts
decay, so that the table follows changes.
"""

from __future__ import annotations

import queue
import threading
import weakref

from .residency import Residency

_ROWS = 256  # experts whose indices are equal modulo this share a row
_FOLLOWERS = 4  # stored for each row
_MEMORY = 32  # answers counted in a row after which all its counts are halved
_ENOUGH = 4.0  # answers that must have been counted before a prediction is made
# With 0.5 no other expert is more likely to be next, so the evicted one is needed less.
_SURE = 0.5
_WORTH = 0.2  # sufficient probability if no expert must be evicted


class Transitions:
    """Counts of transitions from one expert to the next."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[int, float]] = {}

    def see(self, before: int, after: int) -> None:
        counts = self._rows.setdefault(before % _ROWS, {})
        if after not in counts and len(counts) == _FOLLOWERS:
            # The new follower replaces the rarest one but does not inherit its count: random
            # successors must not look likely.
            del counts[min(counts, key=counts.__getitem__)]
        counts[after] = counts.get(after, 0.0) + 1
        if sum(counts.values()) >= _MEMORY:
            for follower in counts:
                counts[follower] /= 2

    def likely(self, before: int) -> tuple[int, float]:
        """Return the most likely next expert and its probability; (-1, 0.0) with too few counts."""
        counts = self._rows.get(before % _ROWS)
        if counts is None or (total := sum(counts.values())) < _ENOUGH:
            return -1, 0.0
        best = max(counts, key=counts.__getitem__)
        return best, counts[best] / total


class Prefetcher:
    """Thread that loads the expert that is probably needed next, within the budget."""

    def __init__(self, experts: Residency):
        self._transitions, self._before = Transitions(), -1
        self._experts = experts
        self._wanted: queue.SimpleQueue[tuple[int, bool] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        # The thread must not keep a runtime alive that was never closed.
        weakref.finalize(experts, self._wanted.put, None)

    def answered(self, expert: int) -> None:
        """Record that `expert` answered; wake the thread if the next expert should be loaded."""
        before, self._before = self._before, expert
        if before >= 0:
            self._transitions.see(before, expert)
        guess, probability = self._transitions.likely(expert)
        if probability < _WORTH or self._experts.has(guess):
            return
        if self._thread is None:
            self._start()
        self._wanted.put((guess, probability >= _SURE))

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None:  # another thread was first
                return
            thread = threading.Thread(
                target=_work,
                args=(weakref.ref(self._experts), self._wanted),
                name="edge-experts-prefetch",
                daemon=True,
            )
            thread.start()
            self._thread = thread  # only now: a concurrent `stop` joins it

    def stop(self) -> None:
        """End the thread after its current load."""
        self._wanted.put(None)
        if self._thread is not None:
            self._thread.join()


def _work(
    experts: weakref.ref[Residency], wanted: queue.SimpleQueue[tuple[int, bool] | None]
) -> None:
    while (guess := wanted.get()) is not None:
        while not wanted.empty():  # only the newest prediction is useful
            newer = wanted.get()
            if newer is None:
                return
            guess = newer
        alive = experts()
        if alive is None:
            return
        alive.prefetch(guess[0], replace=guess[1])
        del alive
