"""Residency policy: chooses the expert to evict when another one needs memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol


class Policy(Protocol):
    """Eviction policy of a task, instead of least recently used.

    Both methods are called with the lock of `Residency` held: they must be quick, and must not
    call the runtime.
    """

    def used(self, index: int) -> None:
        """Record that an expert is needed, whether it is in memory or about to be loaded."""

    def victim(self, idle: Sequence[int], wanted: int) -> int:
        """Choose the expert to evict.

        Args:
            idle: experts that may be evicted, at least one; the least recently used first. None of
                them is pinned or in use.
            wanted: the expert that needs the memory; the first of `idle` if another bundle does.

        Returns:
            one of `idle`.
        """


def choose(policy: Policy, idle: Iterable[int], wanted: int | None) -> int | None:
    """Return the policy's victim; None if no expert may be evicted.

    Args:
        wanted: as for `Policy.victim`; None if another bundle needs the memory.

    Raises:
        ValueError: the policy chose an expert that is not in `idle`, which is a bug of the policy.
    """
    offered = tuple(idle)
    if not offered:
        return None
    victim = policy.victim(offered, offered[0] if wanted is None else wanted)
    if victim not in offered:
        raise ValueError(f"a residency policy chose expert {victim}; only {offered} may leave")
    return victim


class Uses:
    """Number of a bundle's last use, among the bundles under one budget.

    Args:
        now: returns the number of the next use; None: the bundle shares its budget with no other.
    """

    __slots__ = ("_now", "last")

    def __init__(self, now: Callable[[], int] | None):
        self._now, self.last = now, 0

    def mark(self) -> None:
        if self._now is not None:
            self.last = self._now()


def touching(
    slots: OrderedDict[int, Any], policy: Policy | None, uses: Uses
) -> Callable[[int], None]:
    """Record a use in the LRU order, in the policy, and for the budget.

    It is not a method of `Residency`, which would create a reference cycle: a runtime that is
    dropped frees its experts at once.
    """

    def touch(index: int) -> None:
        slots.move_to_end(index)
        if policy is not None:
            policy.used(index)
        uses.mark()

    return touch
