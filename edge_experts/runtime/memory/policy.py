"""Residency policy: which expert leaves memory where another one needs its room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol


class Policy(Protocol):
    """A task's choice in place of the least recently used expert.

    Both methods are called with the lock of `Residency` held: they must be quick, and must not
    call the runtime.
    """

    def used(self, index: int) -> None:
        """Notes that an expert is needed, whether it is in memory or about to be loaded."""

    def victim(self, idle: Sequence[int], wanted: int) -> int:
        """Chooses the expert to evict.

        Args:
            idle: experts that may leave, at least one; the least recently used first. None of them
                is pinned or in use.
            wanted: the expert that needs the room.

        Returns:
            one of `idle`.
        """


def choose(policy: Policy, idle: Iterable[int], wanted: int) -> int | None:
    """The policy's victim; None where no expert may leave.

    Raises:
        ValueError: the policy chose another one, which is a fault in it.
    """
    offered = tuple(idle)
    if not offered:
        return None
    victim = policy.victim(offered, wanted)
    if victim not in offered:
        raise ValueError(f"a residency policy chose expert {victim}; only {offered} may leave")
    return victim


def touching(slots: OrderedDict[int, Any], policy: Policy) -> Callable[[int], None]:
    """Notes a use in both orders.

    It is no method of `Residency`, to which it would be a cycle of references: a runtime that is
    dropped frees its experts at once.
    """

    def touch(index: int) -> None:
        slots.move_to_end(index)
        policy.used(index)

    return touch
