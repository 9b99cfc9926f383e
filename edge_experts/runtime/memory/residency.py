"""Residency of experts: loads within the budget, evicts the least recently used one first.

A task may choose another policy.

Threads may request experts concurrently. An expert in use is not evicted. Threads that need memory
wait until others release theirs; they are served first-in first-out, and the budget is never
exceeded. There is no deadlock: a thread holds one expert at most, and while a thread waits for
memory, no other request is served before it. Bundles under one `MemoryBudget` share the lock and
the queue, and take memory from each other.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from ...errors import ModelError, UsageError
from ..interpreter import Expert
from . import allocator
from .memory_budget import BudgetMembers
from .policy import Policy, Uses, choose, touching
from .quarantine import UNAVAILABLE, Quarantine
from .room import Room
from .slot import Pool, Slot

_WORTH_TRIMMING = 1_000_000  # bytes; trimming takes a third of a small expert's load time


class Counts(NamedTuple):
    """Number of loads, and of evictions because another expert needed memory."""

    loads: int
    evictions: int


class Residency:
    """Experts in memory.

    Args:
        load: opens the checked model of an expert, by its index.
        room: costs and memory budget of the experts.
        quarantine: stores failed experts, and refuses them for a while.
        all_must_fit: raise if one expert is too large for the budget; otherwise such an expert is
            refused when it is needed.
        pinned: experts that are never evicted once they are loaded.
        policy: the eviction policy; None: least recently used.
        members: the bundles under a common budget; None: this one alone.
        pool: gets back the models that are evicted.

    Raises:
        MemoryBudgetError: the smallest expert does not fit; with `all_must_fit`, any expert.
    """

    def __init__(
        self,
        load: Callable[[int], Expert],
        room: Room,
        *,
        quarantine: Quarantine | None = None,
        all_must_fit: bool = False,
        pinned: Iterable[int] = (),
        policy: Policy | None = None,
        members: BudgetMembers | None = None,
        pool: Pool | None = None,
    ):
        self._load, self._room, self._policy, self._pool = load, room, policy, pool
        self._quarantine = quarantine or Quarantine(0)
        self._pinned = set(pinned)
        self._too_large: set[int] = set()  # experts that are refused because of the budget
        self._slots: OrderedDict[int, Slot] = OrderedDict()
        # `move_to_end` itself without a policy: every answer calls it.
        self._touch: Callable[[int], None] = self._slots.move_to_end
        self._uses = Uses(None if members is None else members.now)
        if policy is not None or members is not None:
            self._touch = touching(self._slots, policy, self._uses)
        self._used, self._closed, self._all_must_fit = 0, False, all_must_fit
        self._loads = self._evictions = self._loading = 0
        self._freed = 0  # bytes, since free memory was last given back
        self._members = BudgetMembers() if members is None else members
        self._lock, self._changed = self._members.lock, self._members.changed
        self._queue = self._members.queue
        self._members.join(self)
        if members is not None:
            self._take_memory_from_others()

    @property
    def resident(self) -> tuple[int, ...]:
        """Indices of the experts in memory, the least recently used first."""
        with self._lock:
            return tuple(self._slots)

    @property
    def pinned(self) -> frozenset[int]:
        """Experts that are never evicted."""
        return frozenset(self._pinned)

    @property
    def used(self) -> int:
        """Bytes that experts take in memory, including those being loaded."""
        with self._lock:
            return self._used

    @property
    def age(self) -> int:
        """Number of the budget's last use of an expert of this bundle."""
        return self._uses.last

    @property
    def taken(self) -> int:
        """Bytes of experts, and of all beside them; call it with the lock."""
        return self._room.beside + self._used

    @property
    def fixed(self) -> int:
        """Bytes that eviction cannot free; call it with the lock."""
        return self._room.beside + sum(self._room.costs[one] for one in self._pinned)

    def refuse_large(self, others: int) -> None:
        """See `Member`; call it with the lock."""
        found = self._room.too_large(all_must_fit=self._all_must_fit, others=others)
        for index in self._too_large.difference(found):
            self._quarantine.remove(index)
        for index in found:
            self._quarantine.add(index, self._room.refusal(index, others), forever=True)
        self._too_large = set(found)

    @property
    def counts(self) -> Counts:
        with self._lock:
            return Counts(self._loads, self._evictions)

    def has(self, index: int) -> bool:
        """Test if the expert is in memory or being loaded."""
        return index in self._slots

    def hold(self, index: int) -> Slot:
        """Return the slot of an expert; loads it if needed, which may evict others.

        The expert stays in memory until `free` is called with the returned slot.

        Raises:
            one of UNAVAILABLE: the expert cannot be used.
            UsageError: closed.
        """
        with self._lock:
            slot = self._slots.get(index)
            if slot is not None and slot.ready and not self._queue:  # nearly always
                self._touch(index)
                slot.users += 1
                return slot
        while True:
            slot, mine = self._enter(index)
            if mine:
                return self._fill(slot)
            if self._is_loaded(slot):
                return slot
            # The thread that was loading it failed; the quarantine has the reason by now.

    def free(self, slot: Slot) -> None:
        """Release a slot that `hold` returned."""
        with self._lock:
            slot.users -= 1
            if slot.failed and not slot.users:
                self._drop(slot)
            if self._queue:
                self._changed.notify_all()

    def reject(self, slot: Slot, error: ModelError) -> None:
        """Quarantine a loaded expert that failed to answer, and evict it once it is not in use."""
        self._quarantine.add(slot.index, error)
        with self._lock:
            slot.ready, slot.failed = False, True

    def pin(self, index: int) -> None:
        """Load an expert and never evict it.

        Raises:
            MemoryBudgetError: another expert would no longer fit beside it.
        """
        with self._lock:
            self._room.refuse_to_pin(index, self._pinned)
            self._pinned.add(index)
            try:
                self._members.refuse_large()
            except BaseException:
                self._pinned.discard(index)
                self._members.refuse_large()
                raise
        try:
            self.free(self.hold(index))
        except BaseException:
            self.unpin(index)
            raise

    def unpin(self, index: int) -> None:
        """Allow the expert to be evicted again."""
        with self._lock:
            self._pinned.discard(index)
            self._members.refuse_large()
            self._changed.notify_all()

    def prefetch(self, index: int, *, replace: bool) -> bool:
        """Load an expert before it is requested; return True if it was loaded.

        It never waits, and never evicts an expert that is in use or pinned.

        Args:
            replace: the least recently used expert may be evicted; otherwise only free memory is
                used.
        """
        with self._lock:
            if self._closed or self._queue or index in self._slots:
                return False
            try:
                self._quarantine.refuse(index)
            except UNAVAILABLE:
                return False
            if not (self._make_room(index) if replace else self._has_room(index)):
                return False
            slot = self._reserve(index)
        try:
            self._fill(slot, warm=True)
        except UNAVAILABLE:
            return False
        self.free(slot)
        return True

    def reserve(self, wanted: Sequence[int], most: int) -> Slot | None:
        """Reserve memory for the first of these experts that is not there, for `fill`.

        It never waits, and does not evict any of `wanted`.

        Args:
            most: number of experts that may be loading then.

        Returns:
            None if all are there, no other one fits, or `most` are loading.
        """
        with self._lock:
            if self._closed or self._queue or self._loading >= most:
                return None
            for index in wanted:
                if index in self._slots:
                    continue
                try:
                    self._quarantine.refuse(index)
                except UNAVAILABLE:
                    continue
                return self._reserve(index) if self._make_room(index, wanted) else None
        return None

    def fill(self, slot: Slot) -> None:
        """Load an expert into a slot of `reserve`, and free it; an error goes to the quarantine."""
        with contextlib.suppress(*UNAVAILABLE):
            self.free(self._fill(slot))

    def clear(self, *, close: bool = False) -> None:
        """Evict every expert once it is not in use; with `close`, refuse further loads."""
        with self._turn():
            self._closed = self._closed or close
            while any(slot.users for slot in self._slots.values()):
                self._changed.wait()
            for slot in list(self._slots.values()):
                self._drop(slot)
            if close:
                self._members.leave(self)
        self._return_memory(0)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the lock once all earlier requests are served."""
        with self._changed:
            ticket = object()
            self._queue.append(ticket)
            try:
                while self._queue[0] is not ticket:
                    self._changed.wait()
                yield
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def _enter(self, index: int) -> tuple[Slot, bool]:
        """Reserve or find the expert's slot, in use; True if the caller must load the expert."""
        with self._turn():
            while True:
                if self._closed:
                    raise UsageError("the runtime is closed")
                slot = self._slots.get(index)
                if slot is not None and not slot.failed:
                    self._touch(index)
                    slot.users += 1
                    return slot, False
                self._quarantine.refuse(index)
                if slot is None and self._make_room(index):
                    if self._policy is not None:
                        self._policy.used(index)
                    self._uses.mark()
                    return self._reserve(index), True
                self._changed.wait()

    def _reserve(self, index: int) -> Slot:
        slot = self._slots[index] = Slot(index)
        self._used += self._room.opening[index]
        self._loading += 1
        return slot

    def _fill(self, slot: Slot, *, warm: bool = False) -> Slot:
        """Load a reserved expert, without the lock."""
        try:
            self._return_memory()
            model = self._load(slot.index)
            if warm:
                with contextlib.suppress(ModelError):  # generated inputs prove nothing
                    model.warm_up()
        except BaseException as error:
            with self._changed:
                self._drop(slot)
                slot.failed = True
                self._end_loading(slot)
                if isinstance(error, UNAVAILABLE):
                    self._quarantine.add(slot.index, error)
                self._changed.notify_all()
            raise
        self._quarantine.remove(slot.index)
        with self._changed:
            slot.model, slot.ready = model, True
            self._loads += 1
            self._end_loading(slot)
            self._changed.notify_all()
        return slot

    def _end_loading(self, slot: Slot) -> None:
        self._loading -= 1
        self._used -= self._room.opening[slot.index] - self._room.costs[slot.index]
        if self._pool is not None and not self._loading:
            self._pool.trim()  # what was evicted and is not needed

    def _is_loaded(self, slot: Slot) -> bool:
        """Wait until another thread has loaded the expert; False if that failed."""
        with self._changed:
            try:
                while slot.model is None and not slot.failed:
                    self._changed.wait()
            except BaseException:  # interrupted
                slot.users -= 1
                self._changed.notify_all()
                raise
        return slot.model is not None  # even if it was rejected since: other inputs may work

    def evict(self, wanted: int | None, keep: Collection[int] = ()) -> bool:
        """See `Member`; call it with the lock."""
        kept = self._pinned.union(keep)
        idle = (one for one, slot in self._slots.items() if not slot.users and one not in kept)
        victim = next(idle, None) if self._policy is None else choose(self._policy, idle, wanted)
        if victim is None:
            return False
        self._drop(self._slots[victim], reuse=wanted is not None)
        self._evictions += 1
        return True

    def _make_room(self, index: int, keep: Collection[int] = ()) -> bool:
        """Evict experts, but none of `keep`, until this one fits; False if they are in use."""
        while not self._room.is_one_more_allowed(len(self._slots)):
            if not self.evict(index, keep):
                return False
        while not self._has_room(index):
            by_age = self._members.by_age()
            if not any(
                self.evict(index, keep) if one is self else one.evict(None) for one in by_age
            ):
                return False
        return True

    def _take_memory_from_others(self) -> None:
        """Have other bundles evict experts for what this one has in memory beside its own."""
        with self._turn():
            while not self._room.holds(self._members.of_others(self)):
                if not any(one.evict(None) for one in self._members.by_age()):
                    self._changed.wait()

    def _has_room(self, index: int) -> bool:
        used = self._used + self._members.of_others(self)
        return self._room.has_room(index, used=used, count=len(self._slots))

    def _drop(self, slot: Slot, *, reuse: bool = False) -> None:
        del self._slots[slot.index]
        model, slot.model = slot.model, None  # the last reference: its memory must be free by now
        if self._pool is not None and model is not None:
            self._pool.discard(model, reuse=reuse)
        del model
        self._used -= self._room.costs[slot.index]
        self._freed += self._room.costs[slot.index]

    def _return_memory(self, least: int = _WORTH_TRIMMING) -> None:
        if self._freed >= least:
            self._freed = 0
            allocator.return_freed_memory()
