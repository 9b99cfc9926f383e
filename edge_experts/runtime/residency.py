"""Which experts are in memory: what the budget allows, the least recently used leave first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from ..errors import MemoryBudgetError
from . import allocator
from .interpreter import Model


class Residency:
    """The experts in memory.

    Args:
        load: makes the model of an expert, checked, from its index.
        costs: what each expert takes in memory, bytes.
        budget: what all resident experts together may take, bytes; None is no limit.

    Raises:
        MemoryBudgetError: the largest expert alone does not fit.
    """

    def __init__(self, load: Callable[[int], Model], costs: Sequence[int], budget: int | None):
        if budget is not None and max(costs) > budget:
            raise MemoryBudgetError(
                f"memory budget: an expert needs {max(costs):,} bytes and {max(0, budget):,} are "
                "left for experts; allow more, or convert to a smaller quantization"
            )
        self._load, self._costs, self._budget = load, costs, budget
        self._models: OrderedDict[int, Model] = OrderedDict()

    @property
    def resident(self) -> tuple[int, ...]:
        """Indices of the experts in memory, the least recently used first."""
        return tuple(self._models)

    def get(self, index: int) -> Model:
        """The expert, loaded if it is not in memory; others may have to leave for it."""
        model = self._models.get(index)
        if model is not None:
            self._models.move_to_end(index)
            return model
        if self._budget is not None:
            self._make_room(self._budget - self._costs[index])
        model = self._models[index] = self._load(index)
        return model

    def clear(self) -> None:
        """Let every expert leave."""
        self._make_room(-1)

    def _make_room(self, allowed: int) -> None:
        used = sum(self._costs[index] for index in self._models)
        before = used
        while self._models and used > allowed:
            index = next(iter(self._models))
            used -= self._costs[index]
            del self._models[index]  # no name may hold it: its memory must be free by now
        if used < before:
            allocator.return_freed_memory()
