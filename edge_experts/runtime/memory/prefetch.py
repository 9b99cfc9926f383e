"""Load the expert that will be needed next while nobody waits for it.

Which one that is, a table tells of who was asked after whom: first-order, of constant size, and
forgetful, so that it follows when habits change.
"""

from __future__ import annotations

import queue
import threading
import weakref

from .residency import Residency

_ROWS = 256  # experts whose numbers are equal modulo this share what is known of them
_FOLLOWERS = 4  # kept for each
_MEMORY = 32  # when a row has counted so many answers, all its counts are halved
_ENOUGH = 4.0  # answers that must have been counted before anyone guesses
# With 0.5 no other expert is likelier to be next, so that whoever leaves for it is needed less.
_SURE = 0.5
_WORTH = 0.2  # enough where there is free room


class Transitions:
    """Which expert follows which, counted."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[int, float]] = {}

    def see(self, before: int, after: int) -> None:
        counts = self._rows.setdefault(before % _ROWS, {})
        if after not in counts and len(counts) == _FOLLOWERS:
            # Of the rarest follower the new one takes the place, and not the count: what follows
            # at random must not look likely.
            del counts[min(counts, key=counts.__getitem__)]
        counts[after] = counts.get(after, 0.0) + 1
        if sum(counts.values()) >= _MEMORY:
            for follower in counts:
                counts[follower] /= 2

    def likely(self, before: int) -> tuple[int, float]:
        """The likeliest to follow, and how likely; (-1, 0.0) where too little is known."""
        counts = self._rows.get(before % _ROWS)
        if counts is None or (total := sum(counts.values())) < _ENOUGH:
            return -1, 0.0
        best = max(counts, key=counts.__getitem__)
        return best, counts[best] / total


class Prefetcher:
    """A thread that loads what is likely to be needed next, within the budget."""

    def __init__(self, experts: Residency):
        self._transitions, self._before = Transitions(), -1
        self._experts = experts
        self._wanted: queue.SimpleQueue[tuple[int, bool] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        # The thread must not keep a runtime alive that nobody closed.
        weakref.finalize(experts, self._wanted.put, None)

    def answered(self, expert: int) -> None:
        """`expert` has just answered; wake the thread where the next one should be loaded."""
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
            if self._thread is not None:  # another thread was faster
                return
            thread = threading.Thread(
                target=_work,
                args=(weakref.ref(self._experts), self._wanted),
                name="edge-experts-prefetch",
                daemon=True,
            )
            thread.start()
            self._thread = thread  # only now: `stop` may be waiting to join it

    def stop(self) -> None:
        """End the thread, once it has loaded what it is at."""
        self._wanted.put(None)
        if self._thread is not None:
            self._thread.join()


def _work(
    experts: weakref.ref[Residency], wanted: queue.SimpleQueue[tuple[int, bool] | None]
) -> None:
    while (guess := wanted.get()) is not None:
        while not wanted.empty():  # only the newest guess is still worth anything
            newer = wanted.get()
            if newer is None:
                return
            guess = newer
        alive = experts()
        if alive is None:
            return
        alive.prefetch(guess[0], replace=guess[1])
        del alive
