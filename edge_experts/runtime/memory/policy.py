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
            wanted: the expert that needs the memory.

        Returns:
            one of `idle`.
        """


def choose(policy: Policy, idle: Iterable[int], wanted: int) -> int | None:
    """Return the policy's victim; None if no expert may be evicted.

    Raises:
        ValueError: the policy chose an expert that is not in `idle`, which is a bug of the policy.
    """
    offered = tuple(idle)
    if not offered:
        return None
    victim = policy.victim(offered, wanted)
    if victim not in offered:
        raise ValueError(f"a residency policy chose expert {victim}; only {offered} may leave")
    return victim


def touching(slots: OrderedDict[int, Any], policy: Policy) -> Callable[[int], None]:
    """Record a use both in the LRU order and in the policy.

    It is not a method of `Residency`, which would create a reference cycle: a runtime that is
    dropped frees its experts at once.
    """

    def touch(index: int) -> None:
        slots.move_to_end(index)
        policy.used(index)

    return touch
