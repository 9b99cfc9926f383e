"""Timeline of memory use, with loads and evictions of experts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Annotated, Any

from ...runtime import ExpertRuntime
from ...runtime.interpreter import Expert
from ...runtime.memory.process_memory import Memory
from ...runtime.models import Models
from ..bounds import Count, Length


@dataclass(frozen=True)
class Timeline:
    """Samples of one process, in their order; bytes are above the base.

    Attributes:
        milliseconds: since the bundle was opened.
        loads: (sample, expert): loads between that sample and the one before.
        evictions: likewise, evictions.
    """

    milliseconds: Annotated[list[float], Length(1)] = field(default_factory=list)
    resident_bytes: list[int] = field(default_factory=list)
    anonymous_bytes: list[int] = field(default_factory=list)
    loads: list[tuple[Count, Count]] = field(default_factory=list)
    evictions: list[tuple[Count, Count]] = field(default_factory=list)

    def __post_init__(self) -> None:
        count = len(self.milliseconds)
        for name in ("resident_bytes", "anonymous_bytes"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{name} must be a list of {count}, as many as milliseconds")
        for name in ("loads", "evictions"):
            if any(sample >= count for sample, _ in getattr(self, name)):
                raise ValueError(f"{name} must refer to existing samples")


class Noting(Models):
    """Opens a bundle's models, and records the experts that it opened."""

    def __init__(self, *arguments: Any):
        self.loaded: list[int] = []
        super().__init__(*arguments)

    def expert(self, index: int) -> Expert:
        self.loaded.append(index)
        return super().expert(index)


class Watched(ExpertRuntime):
    """Runtime that records each load of an expert."""

    _opening = Noting
    models: Noting


class Recorder:
    """Records the samples of a timeline.

    Args:
        base: the process's memory before the bundle was opened.
    """

    def __init__(self, base: Memory, clock: Callable[[], float] = perf_counter):
        self._base, self._clock, self._start = base, clock, clock()
        self._resident: Counter[int] = Counter()
        self.found = Timeline()

    def sample(self, now: Memory, loaded: list[int], resident: tuple[int, ...]) -> None:
        """Record the memory, and the loads and evictions since the last sample.

        Args:
            loaded: the experts loaded since, in order; cleared here.
            resident: the experts in memory now.
        """
        place, found = len(found_ms := self.found.milliseconds), self.found
        found_ms.append(round((self._clock() - self._start) * 1000, 3))
        found.resident_bytes.append(now.resident - self._base.resident)
        found.anonymous_bytes.append(now.anonymous - self._base.anonymous)
        found.loads.extend((place, expert) for expert in loaded)
        # An expert may have been loaded and evicted in between: all that were resident or
        # loaded, and are not resident now, were evicted.
        left = self._resident + Counter(loaded) - Counter(resident)
        found.evictions.extend((place, expert) for expert in left.elements())
        self._resident = Counter(resident)
        loaded.clear()
