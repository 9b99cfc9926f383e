"""What fits into memory: costs of experts against a budget in bytes, and a number of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from ...errors import MemoryBudgetError, UsageError


class Room:
    """How much may be in memory.

    Args:
        costs: what each expert takes, bytes.
        budget: what all of them together may take, bytes, and the router; None is no limit.
        most: how many may be in memory; None is no limit.
        router: what all routers take together, bytes.
        layers: places of the experts that each router picks from; None: one router's.
    """

    def __init__(
        self,
        costs: Sequence[int],
        budget: int | None = None,
        most: int | None = None,
        *,
        router: int = 0,
        layers: Sequence[range] | None = None,
    ):
        if most is not None and most < 1:
            raise UsageError(f"max_experts must be at least 1, got {most}")
        self.costs, self.router, self._most = tuple(costs), router, most
        self._layers = layers or [range(len(self.costs))]
        self._budget = None if budget is None else budget - router  # for experts

    def too_large(self, *, all_must_fit: bool) -> list[int]:
        """The experts that do not even fit alone.

        Raises:
            MemoryBudgetError: they are all of a layer; with `all_must_fit`, there is one.
        """
        found = [index for index in range(len(self.costs)) if not self._fits_alone(index)]
        if found and all_must_fit:
            raise self.refusal(max(found, key=self.costs.__getitem__))
        for places in self._layers:
            if places and set(found).issuperset(places):
                raise self.refusal(min(places, key=self.costs.__getitem__))
        return found

    def has_room(self, index: int, *, used: int, count: int) -> bool:
        """Whether the expert fits beside `count` others that take `used` bytes."""
        few = self._most is None or count < self._most
        return few and (self._budget is None or used + self.costs[index] <= self._budget)

    def refusal(self, index: int) -> MemoryBudgetError:
        """What to say of an expert that does not fit alone."""
        return MemoryBudgetError(
            f"memory budget: expert {index} needs {self.costs[index]:,} bytes and "
            f"{max(0, self._budget or 0):,} are left for experts; allow more, or convert to a "
            "smaller quantization"
        )

    def refuse_to_pin(self, index: int, pinned: Set[int]) -> None:
        """Raises MemoryBudgetError where beside the pinned and this one another would not fit."""
        pinned = pinned | {index}
        if self._most is not None and len(pinned) >= self._most < len(self.costs):
            raise MemoryBudgetError(
                f"cannot pin expert {index}: at most {self._most} experts are in memory, and room "
                "for one that is not pinned must be left"
            )
        if self._budget is None:
            return
        room = self._budget - sum(self.costs[one] for one in pinned)
        largest = max(self._others(pinned), default=0)
        if largest > room:
            raise MemoryBudgetError(
                f"cannot pin expert {index}: {max(0, room):,} bytes would be left for others, of "
                f"which one needs {largest:,}; allow more memory, or pin fewer"
            )

    def _others(self, pinned: Set[int]) -> Iterable[int]:
        """Costs of those that are not pinned and could be loaded."""
        others = (one for one in range(len(self.costs)) if one not in pinned)
        return (self.costs[one] for one in others if self._fits_alone(one))

    def _fits_alone(self, index: int) -> bool:
        return self._budget is None or self.costs[index] <= self._budget
