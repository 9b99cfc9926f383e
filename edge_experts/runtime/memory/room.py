"""Memory budget: costs of experts against a limit in bytes and a limit of their number."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence, Set
from types import MappingProxyType

from ...errors import MemoryBudgetError, UsageError


class Room:
    """Limits for the experts in memory.

    Args:
        costs: bytes that each expert takes.
        budget: bytes for everything together; None is no limit.
        most: number of experts in memory; None is no limit.
        beside: bytes in memory beside the experts, by what takes them: routers, for instance.
        layers: indices of the experts of each router; None for a single router.
        opening: bytes that each expert takes while it is loaded, if more than its costs.
    """

    def __init__(
        self,
        costs: Sequence[int],
        budget: int | None = None,
        most: int | None = None,
        *,
        beside: Mapping[str, int] = MappingProxyType({}),
        layers: Sequence[range] | None = None,
        opening: Sequence[int] = (),
    ):
        if most is not None and most < 1:
            raise UsageError(f"max_experts must be at least 1, got {most}")
        self.costs, self._most, self._parts = tuple(costs), most, dict(beside)
        self.opening = tuple(opening) or self.costs
        self.beside = sum(beside.values())
        self._layers = layers or [range(len(self.costs))]
        self._budget = None if budget is None else budget - self.beside  # for experts

    def too_large(self, *, all_must_fit: bool, others: int = 0) -> list[int]:
        """Return the experts that do not fit even alone.

        Args:
            others: bytes of other bundles under the same budget, which they keep.

        Raises:
            MemoryBudgetError: all experts of a layer are too large; with `all_must_fit`, any
                expert.
        """
        found = [index for index in range(len(self.costs)) if not self._fits_alone(index, others)]
        if found and all_must_fit:
            raise self.refusal(max(found, key=self.opening.__getitem__), others)
        for places in self._layers:
            if places and set(found).issuperset(places):
                raise self.refusal(min(places, key=self.opening.__getitem__), others)
        return found

    def has_room(self, index: int, *, used: int, count: int) -> bool:
        """Test if the expert fits beside `count` others; all that is evicted takes `used` bytes."""
        return self.holds(used + self.opening[index]) and self.is_one_more_allowed(count)

    def holds(self, used: int) -> bool:
        """Test if all that is evicted may take `used` bytes."""
        return self._budget is None or used <= self._budget

    @property
    def holds_all(self) -> bool:
        """True if a budget is given, and all experts fit at the same time."""
        is_given = self._budget is not None and self.is_one_more_allowed(len(self.costs) - 1)
        last = max(map(operator.sub, self.opening, self.costs), default=0)
        return is_given and self.holds(sum(self.costs) + last)

    def is_one_more_allowed(self, count: int) -> bool:
        """Test if the limit of the number of experts allows one beside `count` others."""
        return self._most is None or count < self._most

    def refusal(self, index: int, others: int = 0) -> MemoryBudgetError:
        """Create the error for an expert that does not fit alone."""
        parts = {**self._parts, "other bundles": others, "the expert": self.opening[index]}
        free = max(0, (self._budget or 0) - others)
        least = ", ".join(f"{name} {count:,}" for name, count in parts.items() if count)
        has_context = any(name.startswith("keys and values") for name in parts)
        context = ", or reserve a smaller context" if has_context else ""
        return MemoryBudgetError(
            f"memory budget: expert {index} needs {self.opening[index]:,} bytes and "
            f"only {free:,} are available for experts; raise the budget to "
            f"{sum(parts.values()):,} or more ({least}), or convert to a smaller "
            f"quantization{context}"
        )

    def refuse_to_pin(self, index: int, pinned: Set[int]) -> None:
        """Raise MemoryBudgetError if no other expert would fit beside the pinned ones."""
        pinned = pinned | {index}
        if self._most is not None and len(pinned) >= self._most < len(self.costs):
            raise MemoryBudgetError(
                f"cannot pin expert {index}: at most {self._most} experts may be in memory, and "
                "one of them must remain unpinned; raise max_experts, or pin fewer"
            )
        if self._budget is None:
            return
        room = self._budget - sum(self.costs[one] for one in pinned)
        largest = max(self._others(pinned), default=0)
        if largest > room:
            raise MemoryBudgetError(
                f"cannot pin expert {index}: {max(0, room):,} bytes would remain for others, of "
                f"which one needs {largest:,} bytes; raise the memory budget, or pin fewer"
            )

    def _others(self, pinned: Set[int]) -> Iterable[int]:
        """Return what experts that are not pinned and could be loaded take at most."""
        others = (one for one in range(len(self.costs)) if one not in pinned)
        return (self.opening[one] for one in others if self._fits_alone(one))

    def _fits_alone(self, index: int, others: int = 0) -> bool:
        return self._budget is None or self.opening[index] + others <= self._budget
