"""Memory over time, with the experts that came and went: what a picture of it is drawn from."""

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
        loads: (sample, expert): loaded between that sample and the one before.
        evictions: likewise, of those that left.
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
                raise ValueError(f"{name} must be of samples that there are")


class Noting(Models):
    """Opens a bundle's models, and remembers which experts."""

    def __init__(self, *arguments: Any):
        self.loaded: list[int] = []
        super().__init__(*arguments)

    def expert(self, index: int) -> Expert:
        self.loaded.append(index)
        return super().expert(index)


class Watched(ExpertRuntime):
    """A runtime that remembers which experts it loaded, each time."""

    _opening = Noting
    models: Noting


class Recorder:
    """Takes the samples of a timeline.

    Args:
        base: the process's memory before the bundle was opened.
    """

    def __init__(self, base: Memory, clock: Callable[[], float] = perf_counter):
        self._base, self._clock, self._start = base, clock, clock()
        self._resident: Counter[int] = Counter()
        self.found = Timeline()

    def sample(self, now: Memory, loaded: list[int], resident: tuple[int, ...]) -> None:
        """Note the memory, and what happened since the last time.

        Args:
            loaded: the experts that were loaded since, in order; emptied here.
            resident: those in memory now.
        """
        place, found = len(found_ms := self.found.milliseconds), self.found
        found_ms.append(round((self._clock() - self._start) * 1000, 3))
        found.resident_bytes.append(now.resident - self._base.resident)
        found.anonymous_bytes.append(now.anonymous - self._base.anonymous)
        found.loads.extend((place, expert) for expert in loaded)
        # One may have come and gone in between: whoever was there or came, and is not there, left.
        left = self._resident + Counter(loaded) - Counter(resident)
        found.evictions.extend((place, expert) for expert in left.elements())
        self._resident = Counter(resident)
        loaded.clear()
