"""Threads that want experts at once: who waits, who goes on, and the budget all the while."""

from __future__ import annotations

import random
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_experts.errors import DigestError, ModelError, UsageError
from edge_experts.runtime.interpreter import Model
from edge_experts.runtime.memory.quarantine import Quarantine
from edge_experts.runtime.memory.residency import Residency
from edge_experts.runtime.memory.room import Room

from ..loads import Gate, broken, tiny, use
from ..many import together

_SOON = 0.05  # seconds in which a thread that does not wait is done


def _done_soon(done: Callable[[], bool]) -> bool:
    return threading.Event().wait(_SOON) or done()


def test_who_needs_room_waits_until_others_are_done() -> None:
    experts = Residency(tiny, Room([10, 10], 10))
    held = experts.hold(0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(use, experts, 1)
        assert not _done_soon(waiting.done)
        assert experts.used == 10
        experts.free(held)
        waiting.result(30)
    assert list(experts.resident) == [1]


def test_nobody_overtakes_who_waits_for_room() -> None:
    """Two threads that take turns with a small expert must not keep out a large one for ever."""
    experts = Residency(tiny, Room([10, 20], 20))
    stop = threading.Event()

    def small() -> None:
        while not stop.is_set():
            held = experts.hold(0)
            time.sleep(0.001)
            experts.free(held)

    def large() -> None:
        for _ in range(20):
            use(experts, 1)
        stop.set()

    together([small, small, large])


def test_others_go_on_while_one_is_loaded() -> None:
    loads = Gate(1)
    experts = Residency(loads, Room([10, 10], 20))
    use(experts, 0)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(use, experts, 1)
        assert loads.started.wait(30)
        use(experts, 0)
        assert not loading.done()
        loads.go.set()
        loading.result(30)
    assert loads.loaded == [0, 1]


def test_threads_that_want_the_same_expert_load_it_once() -> None:
    loads = Gate(0)
    experts = Residency(loads, Room([10], 10))
    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(use, experts, 0) for _ in range(3)]
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
        return broken(index)

    experts = Residency(load, Room([10], 10), quarantine=Quarantine(60))
    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(experts.hold, 0) for _ in range(3)]
        assert started.wait(30)
        go.set()
        assert {type(one.exception(30)) for one in asking} == {DigestError}
    assert (experts.used, experts.resident) == (0, ())


def test_who_may_be_tried_again_is_loaded_anew_once_it_left() -> None:
    experts = Residency(tiny, Room([10], 10))  # a quarantine of no time
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
    loads = Gate(0)
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


def test_who_is_interrupted_while_waiting_holds_nothing() -> None:
    loads = Gate(0)
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


def test_nothing_is_loaded_ahead_of_those_who_wait() -> None:
    experts = Residency(tiny, Room([10, 20, 10], 20))
    held = experts.hold(0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(use, experts, 1)
        while not experts._queue:
            pass
        assert not experts.prefetch(2, replace=False)
        experts.free(held)
        waiting.result(30)


def test_clearing_waits_for_those_in_use_and_closing_ends_it() -> None:
    experts = Residency(tiny, Room([10, 10], 20))
    held = experts.hold(0)
    with ThreadPoolExecutor(1) as pool:
        clearing = pool.submit(experts.clear)
        assert not _done_soon(clearing.done)
        experts.free(held)
        clearing.result(30)
    assert (experts.used, experts.resident) == (0, ())
    use(experts, 0)
    experts.clear(close=True)
    with pytest.raises(UsageError, match="closed"):
        experts.hold(0)
    assert not experts.prefetch(0, replace=True)


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
            model = tiny()
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
