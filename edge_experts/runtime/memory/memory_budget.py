"""Memory budget that several bundles of one process share."""

from __future__ import annotations

import itertools
import operator
import os
import threading
import weakref
from collections import deque
from collections.abc import Collection
from typing import Protocol

from ...errors import MemoryBudgetError
from ...format.byte_sizes import Size, bytes_of
from .. import forking


class Member(Protocol):
    """Experts of one bundle.

    Attributes:
        age: number of the budget's last use of them.
        taken: bytes of experts, and of all beside them.
        fixed: bytes that eviction cannot free: of pinned experts, and of all beside experts.
    """

    @property
    def age(self) -> int: ...

    @property
    def taken(self) -> int: ...

    @property
    def fixed(self) -> int: ...

    def refuse_large(self, others: int) -> None:
        """Refuse the experts that do not fit beside `others` bytes of other bundles, and no others.

        Raises:
            MemoryBudgetError: one of them is required.
        """

    def evict(self, wanted: int | None, keep: Collection[int] = ()) -> bool:
        """Evict an expert for another one, `wanted`, or for another bundle's; False if none may.

        Args:
            keep: experts that stay.
        """


class BudgetMembers:
    """Bundles under one budget, with the lock and the queue of waiting threads that they share.

    A thread that waits for memory is served before all later ones, of whichever bundle.

    Attributes:
        queue: tickets of waiting threads, first-in first-out.
    """

    def __init__(self) -> None:
        # The plain lock: Condition's `with` is Python code, which would run for every answer.
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.queue: deque[object] = deque()
        self._members: weakref.WeakSet[Member] = weakref.WeakSet()
        self._clock = itertools.count(1)

    def now(self) -> int:
        """Return the number of the next use."""
        return next(self._clock)

    def join(self, member: Member) -> None:
        """Add a bundle; every bundle refuses the experts that no longer fit.

        Raises:
            MemoryBudgetError: a required expert, of the new bundle or of another one, would not
                fit.
        """
        with self.lock:
            self._members.add(member)
            try:
                self.refuse_large()
            except MemoryBudgetError:
                self.leave(member)
                raise

    def refuse_large(self) -> None:
        """Have every bundle refuse what does not fit beside all that cannot be evicted.

        Raises:
            MemoryBudgetError: a required expert does not fit.
        """
        for one in self._members:
            one.refuse_large(sum(other.fixed for other in self._members if other is not one))

    def leave(self, member: Member) -> None:
        """Remove a bundle; call it with the lock. The others may load what fits again."""
        self._members.discard(member)
        self.refuse_large()

    def of_others(self, member: Member) -> int:
        """Compute the bytes of all other bundles."""
        if len(self._members) == 1:  # nearly always, and a WeakSet is slow to go through
            return 0
        return sum(one.taken for one in self._members if one is not member)

    def by_age(self) -> list[Member]:
        """List the bundles, the least recently used first."""
        return sorted(self._members, key=operator.attrgetter("age"))

    @property
    def taken(self) -> int:
        with self.lock:
            return sum(one.taken for one in self._members)


class MemoryBudget:
    """Limit in bytes for all runtimes that get it as their `memory_budget`, together.

    A bundle that needs memory gets it from the bundle that was used least recently, which may be
    itself, by that bundle's own policy. A forked child has the same limit for itself.

    Args:
        size: bytes, or a text such as "64MB".

    Raises:
        UsageError: it is not a size.
    """

    def __init__(self, size: Size):
        self.bytes = bytes_of(size, "MemoryBudget")
        self._members, self._process = BudgetMembers(), os.getpid()

    @property
    def used(self) -> int:
        """Bytes in memory, by the costs of all bundles' models; never above the limit."""
        return self.members().taken

    def members(self) -> BudgetMembers:
        """Return this process's bundles; a forked child's own, since a lock may be held there."""
        if self._process != os.getpid():
            forking.keep(self._members)
            self._members, self._process = BudgetMembers(), os.getpid()
        return self._members
