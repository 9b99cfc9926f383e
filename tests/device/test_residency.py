"""Which experts are in memory: budgets, counts, pins, waiting, and loading ahead."""

from __future__ import annotations

import random
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_experts.errors import DigestError, MemoryBudgetError, ModelError, UsageError
from edge_experts.runtime import selfcheck
from edge_experts.runtime.interpreter import Model
from edge_experts.runtime.quarantine import Quarantine
from edge_experts.runtime.residency import Residency
from edge_experts.runtime.room import Room

from .many import together

_CONTENT = Path(selfcheck.__file__).with_name("tiny.tflite").read_bytes()
_SOON = 0.05  # seconds in which a thread that does not wait is done


def _tiny(_: int = 0) -> Model:
    return Model(_CONTENT, "tiny")


def _use(experts: Residency, index: int) -> None:
    experts.free(experts.hold(index))


class _Gate:
    """Loads that take until someone says so."""

    def __init__(self, *slow: int):
        self.slow, self.loaded = set(slow), list[int]()
        self.started, self.go = threading.Event(), threading.Event()

    def __call__(self, index: int) -> Model:
        if index in self.slow:
            self.started.set()
            assert self.go.wait(30)
        self.loaded.append(index)
        return _tiny()


def test_the_least_recently_used_leaves_first() -> None:
    loads = _Gate()
    experts = Residency(loads, Room([10, 10, 10, 25], 30))
    for index in (0, 1, 2, 0):
        _use(experts, index)
    assert list(experts.resident) == [1, 2, 0]
    _use(experts, 3)
    assert list(experts.resident) == [3]
    assert experts.used == 25
    _use(experts, 0)
    assert list(experts.resident) == [0]
    assert loads.loaded == [0, 1, 2, 3, 0]


def test_a_count_is_a_budget_too() -> None:
    experts = Residency(_tiny, Room([10] * 4, most=2))
    for index in (0, 1, 2):
        _use(experts, index)
    assert experts.resident == (1, 2)
    both = Residency(_tiny, Room([10] * 4, 30, most=2))
    for index in (0, 1, 2):
        _use(both, index)
    assert both.resident == (1, 2)


def test_a_pinned_expert_stays() -> None:
    experts = Residency(_tiny, Room([10, 10, 10], 20))
    experts.pin(0)
    for index in (1, 2, 1):
        _use(experts, index)
        assert experts.resident == (0, index)
    experts.unpin(0)
    _use(experts, 2)
    assert experts.resident == (1, 2)


def test_pins_must_leave_room_for_others() -> None:
    experts = Residency(_tiny, Room([10, 10, 15, 99], 30))
    experts.pin(0)
    with pytest.raises(MemoryBudgetError, match="cannot pin expert 1: 10 bytes would be left"):
        experts.pin(1)
    assert experts.pinned == {0}
    few = Residency(_tiny, Room([10, 10, 10], most=2))
    few.pin(0)
    with pytest.raises(MemoryBudgetError, match="cannot pin expert 1: at most 2"):
        few.pin(1)
    all_of_them = Residency(_tiny, Room([10, 10], 20, most=2))
    all_of_them.pin(0)
    all_of_them.pin(1)
    free = Residency(_tiny, Room([10, 10]))
    free.pin(1)
    assert (all_of_them.resident, free.resident) == ((0, 1), (1,))


def test_a_pin_that_cannot_be_loaded_is_none() -> None:
    experts = Residency(_broken, Room([10, 10], 20))
    with pytest.raises(DigestError):
        experts.pin(0)
    assert experts.pinned == frozenset()


def _broken(index: int) -> Model:
    raise DigestError(f"expert {index} is damaged")


def test_who_needs_room_waits_until_others_are_done() -> None:
    experts = Residency(_tiny, Room([10, 10], 10))
    held = experts.hold(0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_use, experts, 1)
        assert not _done_soon(waiting.done)
        assert experts.used == 10
        experts.free(held)
        waiting.result(30)
    assert list(experts.resident) == [1]


def test_nobody_overtakes_who_waits_for_room() -> None:
    """Two threads that take turns with a small expert must not keep out a large one for ever."""
    experts = Residency(_tiny, Room([10, 20], 20))
    stop = threading.Event()

    def small() -> None:
        while not stop.is_set():
            held = experts.hold(0)
            time.sleep(0.001)
            experts.free(held)

    def large() -> None:
        for _ in range(20):
            _use(experts, 1)
        stop.set()

    together([small, small, large])


def test_others_go_on_while_one_is_loaded() -> None:
    loads = _Gate(1)
    experts = Residency(loads, Room([10, 10], 20))
    _use(experts, 0)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(_use, experts, 1)
        assert loads.started.wait(30)
        _use(experts, 0)
        assert not loading.done()
        loads.go.set()
        loading.result(30)
    assert loads.loaded == [0, 1]


def test_threads_that_want_the_same_expert_load_it_once() -> None:
    loads = _Gate(0)
    experts = Residency(loads, Room([10], 10))
    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(_use, experts, 0) for _ in range(3)]
        assert loads.started.wait(30)
        loads.go.set()
        for one in asking:
            one.result(30)
    assert loads.loaded == [0]


def test_all_who_wait_for_a_damaged_expert_are_told() -> None:
    started, go = threading.Event(), threading.Event()

    def load(index: int) -> Model:
        started.set()
        assert go.wait(30)
        return _broken(index)

    experts = Residency(load, Room([10], 10), quarantine=Quarantine(60))
    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(experts.hold, 0) for _ in range(3)]
        assert started.wait(30)
        go.set()
        assert {type(one.exception(30)) for one in asking} == {DigestError}
    assert (experts.used, experts.resident) == (0, ())


def test_who_failed_is_refused_at_once_and_leaves_when_nobody_holds_it() -> None:
    quarantine = Quarantine(60)
    experts = Residency(_tiny, Room([10, 10], 10), quarantine=quarantine)
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


def test_who_may_be_tried_again_is_loaded_anew_once_it_left() -> None:
    experts = Residency(_tiny, Room([10], 10))  # a quarantine of no time
    failed = experts.hold(0)
    experts.reject(failed, ModelError("cannot compute it"))
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(experts.hold, 0)
        with pytest.raises(TimeoutError):
            again.result(_SOON)
        experts.free(failed)
        assert again.result(30) is not failed
    assert experts.counts.loads == 2


def test_who_waited_for_an_expert_that_fails_for_others_may_ask_it() -> None:
    loads = _Gate(0)
    experts = Residency(loads, Room([10], 10), quarantine=Quarantine(60))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(experts.hold, 0)
        assert loads.started.wait(30)
        real = experts._changed.wait

        def late(timeout: float | None = None) -> bool:
            """Woken when the other thread has asked already, and failed."""
            woken = real(timeout)
            experts._lock.release()
            experts.reject(first.result(30), ModelError("cannot compute it"))
            experts._lock.acquire()
            return woken

        experts._changed.wait = late  # type: ignore[method-assign]
        second = pool.submit(experts.hold, 0)
        loads.go.set()
        assert second.result(30) is first.result(30)
    for slot in (first.result(), second.result()):
        assert slot.model is not None
        experts.free(slot)
    assert (experts.used, experts.resident) == (0, ())


def test_loads_and_evictions_are_counted() -> None:
    experts = Residency(_tiny, Room([10, 10, 10], 20))
    for index in (0, 1, 0, 2):
        _use(experts, index)
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


def test_who_is_interrupted_while_waiting_holds_nothing() -> None:
    loads = _Gate(0)
    experts = Residency(loads, Room([10], 10))
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(experts.hold, 0)
        assert loads.started.wait(30)
        real = experts._changed.wait

        def interrupted(timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

        experts._changed.wait = interrupted  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            experts.hold(0)
        experts._changed.wait = real  # type: ignore[method-assign]
        loads.go.set()
        slot = loading.result(30)
    assert slot.users == 1


def test_too_large_experts_are_refused_when_they_are_needed() -> None:
    quarantine = Quarantine(60)
    experts = Residency(_tiny, Room([10, 50], 20), quarantine=quarantine)
    _use(experts, 0)
    with pytest.raises(MemoryBudgetError, match="expert 1 needs 50 bytes and 20 are left"):
        experts.hold(1)
    assert experts.resident == (0,)
    quarantine.clear()
    with pytest.raises(MemoryBudgetError):
        experts.hold(1)
    with pytest.raises(MemoryBudgetError, match="needs 50 bytes"):
        Residency(_tiny, Room([10, 50], 20), all_must_fit=True)
    with pytest.raises(MemoryBudgetError, match="needs 10 bytes and 0 are left"):
        Residency(_tiny, Room([10, 50], -5))


def test_what_is_loaded_ahead_takes_free_room_or_the_oldest_place() -> None:
    experts = Residency(_tiny, Room([10] * 5, 20))
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


def test_nothing_is_loaded_ahead_of_those_who_wait() -> None:
    experts = Residency(_tiny, Room([10, 20, 10], 20))
    held = experts.hold(0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_use, experts, 1)
        while not experts._queue:
            pass
        assert not experts.prefetch(2, replace=False)
        experts.free(held)
        waiting.result(30)


def test_a_damaged_expert_that_is_loaded_ahead_is_left_alone() -> None:
    quarantine = Quarantine(60)
    experts = Residency(_broken, Room([10], 10), quarantine=quarantine)
    assert not experts.prefetch(0, replace=True)
    assert quarantine.reasons == {0: "expert 0 is damaged"}
    assert not experts.prefetch(0, replace=True)
    assert experts.used == 0


def test_clearing_waits_for_those_in_use_and_closing_ends_it() -> None:
    experts = Residency(_tiny, Room([10, 10], 20))
    held = experts.hold(0)
    with ThreadPoolExecutor(1) as pool:
        clearing = pool.submit(experts.clear)
        assert not _done_soon(clearing.done)
        experts.free(held)
        clearing.result(30)
    assert (experts.used, experts.resident) == (0, ())
    _use(experts, 0)
    experts.clear(close=True)
    with pytest.raises(UsageError, match="closed"):
        experts.hold(0)
    assert not experts.prefetch(0, replace=True)


def _done_soon(done: Callable[[], bool]) -> bool:
    return threading.Event().wait(_SOON) or done()


@given(st.integers(0, 2**32))
@settings(max_examples=15)
def test_many_threads_never_exceed_the_budget(seed: int) -> None:
    """Counted by the models that are alive, not by what residency believes."""
    chance = random.Random(seed)
    costs = [chance.randint(1, 30) for _ in range(6)]
    budget = max(costs) + chance.randint(0, 40)
    alive: weakref.WeakKeyDictionary[Model, int] = weakref.WeakKeyDictionary()
    lock, over = threading.Lock(), list[int]()

    def load(index: int) -> Model:
        with lock:
            model = _tiny()
            alive[model] = costs[index]
            if (used := sum(alive.values())) > budget:
                over.append(used)
        return model

    experts = Residency(load, Room(costs, budget))

    def work(own: int) -> Callable[[], None]:
        order = random.Random(own)

        def go() -> None:
            for _ in range(30):
                slot = experts.hold(order.randrange(6))
                assert slot.model is not None
                assert experts.used <= budget
                experts.free(slot)
                if order.random() < 0.2:
                    experts.prefetch(order.randrange(6), replace=order.random() < 0.5)
                if order.random() < 0.03:
                    experts.clear()

        return go

    together([work(seed + own) for own in range(4)])
    assert over == []
    assert all(not slot.users for slot in experts._slots.values())
