"""Which experts are in memory: budgets, counts, pins, failures, and loading ahead."""

from __future__ import annotations

import pytest

from edge_experts.errors import DigestError, MemoryBudgetError, ModelError
from edge_experts.runtime.interpreter import Model
from edge_experts.runtime.memory.quarantine import Quarantine
from edge_experts.runtime.memory.residency import Residency
from edge_experts.runtime.memory.room import Room

from ..loads import Gate, broken, tiny, use


def test_the_least_recently_used_leaves_first() -> None:
    loads = Gate()
    experts = Residency(loads, Room([10, 10, 10, 25], 30))
    for index in (0, 1, 2, 0):
        use(experts, index)
    assert list(experts.resident) == [1, 2, 0]
    use(experts, 3)
    assert list(experts.resident) == [3]
    assert experts.used == 25
    use(experts, 0)
    assert list(experts.resident) == [0]
    assert loads.loaded == [0, 1, 2, 3, 0]


def test_a_count_is_a_budget_too() -> None:
    experts = Residency(tiny, Room([10] * 4, most=2))
    for index in (0, 1, 2):
        use(experts, index)
    assert experts.resident == (1, 2)
    both = Residency(tiny, Room([10] * 4, 30, most=2))
    for index in (0, 1, 2):
        use(both, index)
    assert both.resident == (1, 2)


def test_a_pinned_expert_stays() -> None:
    experts = Residency(tiny, Room([10, 10, 10], 20))
    experts.pin(0)
    for index in (1, 2, 1):
        use(experts, index)
        assert experts.resident == (0, index)
    experts.unpin(0)
    use(experts, 2)
    assert experts.resident == (1, 2)


def test_pins_must_leave_room_for_others() -> None:
    experts = Residency(tiny, Room([10, 10, 15, 99], 30))
    experts.pin(0)
    with pytest.raises(MemoryBudgetError, match="cannot pin expert 1: 10 bytes would remain"):
        experts.pin(1)
    assert experts.pinned == {0}
    few = Residency(tiny, Room([10, 10, 10], most=2))
    few.pin(0)
    with pytest.raises(MemoryBudgetError, match="cannot pin expert 1: at most 2"):
        few.pin(1)
    all_of_them = Residency(tiny, Room([10, 10], 20, most=2))
    all_of_them.pin(0)
    all_of_them.pin(1)
    free = Residency(tiny, Room([10, 10]))
    free.pin(1)
    assert (all_of_them.resident, free.resident) == ((0, 1), (1,))


def test_a_pin_that_cannot_be_loaded_is_none() -> None:
    experts = Residency(broken, Room([10, 10], 20))
    with pytest.raises(DigestError):
        experts.pin(0)
    assert experts.pinned == frozenset()


def test_who_failed_is_refused_at_once_and_leaves_when_nobody_holds_it() -> None:
    quarantine = Quarantine(60)
    experts = Residency(tiny, Room([10, 10], 10), quarantine=quarantine)
    one, other = experts.hold(0), experts.hold(0)
    experts.reject(one, ModelError("cannot compute it"))
    with pytest.raises(ModelError, match="cannot compute it"):
        experts.hold(0)
    experts.free(one)
    assert (experts.used, experts.resident) == (10, (0,))
    assert not experts.prefetch(1, replace=True)
    experts.free(other)
    assert (experts.used, experts.resident, experts.counts) == (0, (), (1, 0))
    quarantine.clear()
    assert experts.hold(0) is not one
    assert (quarantine.reasons, experts.counts) == ({}, (2, 0))


def test_loads_and_evictions_are_counted() -> None:
    experts = Residency(tiny, Room([10, 10, 10], 20))
    for index in (0, 1, 0, 2):
        use(experts, index)
    assert experts.counts == (3, 1)
    experts.clear()
    assert experts.counts == (3, 1)


def test_a_bug_while_loading_leaves_nothing_behind() -> None:
    def load(index: int) -> Model:
        raise ZeroDivisionError

    quarantine = Quarantine(60)
    experts = Residency(load, Room([10], 10), quarantine=quarantine)
    with pytest.raises(ZeroDivisionError):
        experts.hold(0)
    assert (experts.used, quarantine.reasons) == (0, {})


def test_too_large_experts_are_refused_when_they_are_needed() -> None:
    quarantine = Quarantine(60)
    experts = Residency(tiny, Room([10, 50], 20), quarantine=quarantine)
    use(experts, 0)
    with pytest.raises(MemoryBudgetError, match="expert 1 needs 50 bytes and only 20 are"):
        experts.hold(1)
    assert experts.resident == (0,)
    quarantine.clear()
    with pytest.raises(MemoryBudgetError):
        experts.hold(1)
    with pytest.raises(MemoryBudgetError, match="needs 50 bytes"):
        Residency(tiny, Room([10, 50], 20), all_must_fit=True)
    with pytest.raises(MemoryBudgetError, match="needs 10 bytes and only 0 are available"):
        Residency(tiny, Room([10, 50], -5))


def test_what_is_loaded_ahead_takes_free_room_or_the_oldest_place() -> None:
    experts = Residency(tiny, Room([10] * 5, 20))
    assert experts.prefetch(0, replace=False)
    assert not experts.prefetch(0, replace=True)
    assert experts.prefetch(1, replace=False)
    assert not experts.prefetch(2, replace=False)
    assert experts.prefetch(2, replace=True)
    assert experts.resident == (1, 2)
    held = [experts.hold(1), experts.hold(2)]
    assert not experts.prefetch(3, replace=True)
    for slot in held:
        experts.free(slot)
    experts.pin(1)
    assert experts.prefetch(3, replace=True)
    assert experts.resident == (1, 3)
    assert experts.has(3)
    assert not experts.has(2)


def test_a_damaged_expert_that_is_loaded_ahead_is_left_alone() -> None:
    quarantine = Quarantine(60)
    experts = Residency(broken, Room([10], 10), quarantine=quarantine)
    assert not experts.prefetch(0, replace=True)
    assert quarantine.reasons == {0: "expert 0 is damaged"}
    assert not experts.prefetch(0, replace=True)
    assert experts.used == 0


class _Pool:
    """Counts what comes back."""

    sizes = (10, 10, 10, 10)

    def __init__(self) -> None:
        self.back: list[bool] = []
        self.trims = 0

    def load(self, index: int) -> Model:
        return tiny(index)

    def discard(self, expert: object, *, reuse: bool) -> None:
        assert isinstance(expert, Model)
        self.back.append(reuse)

    def trim(self) -> None:
        self.trims += 1


def test_reserving_evicts_none_of_those_that_are_wanted() -> None:
    pool = _Pool()
    experts = Residency(pool.load, Room([10] * 4, 20), pool=pool)
    use(experts, 0)
    use(experts, 1)
    assert experts.reserve([0, 1, 2, 3], 2) is None
    slot = experts.reserve([1, 2, 3], 2)
    assert slot is not None
    assert (slot.index, experts.has(0), pool.back) == (2, False, [True])
    assert experts.reserve([3], 1) is None  # one is being loaded
    assert experts.reserve([2], 2) is None
    experts.fill(slot)
    assert experts.resident == (1, 2)
    assert pool.trims == 3  # whenever nothing is being loaded any more
    experts.clear(close=True)
    assert pool.back == [True, False, False]
    assert experts.reserve([3], 2) is None


def test_an_expert_that_cannot_be_filled_is_refused_when_it_is_used() -> None:
    pool = _Pool()
    experts = Residency(broken, Room([10] * 4, 20), quarantine=Quarantine(60), pool=pool)
    slot = experts.reserve([0], 1)
    assert slot is not None
    experts.fill(slot)
    assert experts.resident == ()
    assert (pool.back, pool.trims) == ([], 1)
    with pytest.raises(DigestError):
        use(experts, 0)
    assert experts.reserve([0], 1) is None
