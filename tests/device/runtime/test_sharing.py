"""A runtime that threads share, that is forked, and that process pools use."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_experts import ExpertRuntime
from edge_experts.errors import UsageError
from edge_experts.runtime.bundle_access import BundleAccess

from ..many import INPUTS, together

_runtime: ExpertRuntime | None = None  # what a pool's processes inherit


def _scores(runtime: ExpertRuntime, inputs: list[np.ndarray]) -> list[np.ndarray]:
    return [runtime.predict(example).scores for example in inputs]


@pytest.fixture(scope="module")
def alone(many_experts: Path) -> list[np.ndarray]:
    with ExpertRuntime(many_experts) as runtime:
        return _scores(runtime, INPUTS)


@pytest.mark.parametrize("options", [{}, {"max_experts": 2}, {"max_experts": 3, "prefetch": True}])
def test_threads_get_the_answers_they_would_get_alone(
    many_experts: Path, alone: list[np.ndarray], options: dict[str, Any]
) -> None:
    with ExpertRuntime(many_experts, **options) as runtime:

        def work(offset: int) -> Callable[[], None]:
            def go() -> None:
                for turn in range(400):
                    row = (turn * 7 + offset) % len(INPUTS)
                    assert np.array_equal(runtime.predict(INPUTS[row]).scores, alone[row])

            return go

        together([work(offset) for offset in (0, 101, 202, 303)])
        assert len(runtime.resident) <= options.get("max_experts", 64)


def test_closing_waits_for_answers_and_refuses_new_ones(
    many_experts: Path, alone: list[np.ndarray]
) -> None:
    runtime = ExpertRuntime(many_experts, max_experts=2, prefetch=True)
    started = threading.Event()

    def ask() -> None:
        for row in range(len(INPUTS)):
            try:
                answer = runtime.predict(INPUTS[row])
            except UsageError:
                return
            assert np.array_equal(answer.scores, alone[row])
            if row == 20:
                started.set()
        started.set()

    def close() -> None:
        assert started.wait(30)
        runtime.close()

    together([ask, ask, close])
    assert runtime.resident == ()
    for ask_late in (runtime.predict, lambda x: runtime.predict_batch([x])):
        with pytest.raises(UsageError, match="closed"):
            ask_late(INPUTS[0])
    runtime.close()


def _child(work: Callable[[], bool]) -> int:
    """The exit status of a forked child that works; it may not hang."""
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # kills a child that waits for ever
        status = 1
        try:
            status = 0 if work() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(("threads", "children"), [(1, 8), (2, 2)])
def test_a_child_that_is_forked_under_load_answers(
    many_experts: Path, alone: list[np.ndarray], threads: int, children: int
) -> None:
    with ExpertRuntime(many_experts, max_experts=3, prefetch=True, threads=threads) as runtime:
        stop = threading.Event()

        def load() -> None:
            row = 0
            while not stop.is_set():
                runtime.predict(INPUTS[row % len(INPUTS)])
                row += 1

        def right() -> bool:
            found = _scores(runtime, INPUTS[:20])
            batch = [answer.scores for answer in runtime.predict_batch(INPUTS[:20])]
            runtime.close()
            return all(map(np.array_equal, found, alone)) and np.array_equal(found, batch)

        busy = [threading.Thread(target=load) for _ in range(3)]
        for thread in busy:
            thread.start()
        try:
            statuses = [_child(right) for _ in range(children)]
        finally:
            stop.set()
            for thread in busy:
                thread.join()
        assert statuses == [0] * children
        assert np.array_equal(runtime.predict(INPUTS[0]).scores, alone[0])


def test_a_child_of_a_child_answers_and_closed_stays_closed(
    many_experts: Path, alone: list[np.ndarray]
) -> None:
    runtime = ExpertRuntime(many_experts, pin=[3])
    closed = ExpertRuntime(many_experts)
    closed.close()

    def right() -> bool:
        return np.array_equal(runtime.predict(INPUTS[0]).scores, alone[0])

    def all_right() -> bool:
        try:
            closed.predict(INPUTS[0])
        except UsageError:
            return runtime.resident == () and right() and _child(right) == 0
        return False

    assert _child(all_right) == 0
    runtime.close()


def _answer(row: int) -> np.ndarray:
    assert _runtime is not None
    return _runtime.predict(INPUTS[row]).scores


def test_a_pool_of_processes_answers(many_experts: Path, alone: list[np.ndarray]) -> None:
    global _runtime
    with ExpertRuntime(many_experts, max_experts=4) as _runtime:
        _runtime.predict(INPUTS[0])
        with ProcessPoolExecutor(2) as pool:
            found = list(pool.map(_answer, range(100), chunksize=10))
    assert np.array_equal(found, alone[:100])


def test_answers_can_be_pickled(many_experts: Path) -> None:
    with ExpertRuntime(many_experts) as runtime:
        answer = runtime.predict(INPUTS[0])
    copy = pickle.loads(pickle.dumps(answer))
    assert (copy.label, copy.score, copy.timings) == (answer.label, answer.score, answer.timings)


def test_a_runtime_that_nobody_closed_goes(many_experts: Path) -> None:
    before = threading.active_count()
    runtime = ExpertRuntime(many_experts, max_experts=2, prefetch=True)
    for turn in range(60):
        runtime.predict(INPUTS[turn % 3])
    assert runtime._prefetcher is not None
    thread = runtime._prefetcher._thread
    gone = weakref.ref(runtime)
    del runtime
    gc.collect()
    assert gone() is None
    if thread is not None:
        thread.join(30)
    assert threading.active_count() == before


def test_options_are_checked(many_experts: Path) -> None:
    with pytest.raises(UsageError, match="max_experts must be at least 1, got 0"):
        ExpertRuntime(many_experts, max_experts=0)
    with ExpertRuntime(many_experts) as runtime, pytest.raises(UsageError, match="expert 64 does"):
        runtime.pin(64)


def test_pins_stay_until_they_are_taken_back(many_experts: Path) -> None:
    with ExpertRuntime(many_experts, pin=[5], max_experts=2) as runtime:
        for example in INPUTS[:40]:
            runtime.predict(example)
            assert 5 in runtime.resident
        runtime.unpin(5)
        for example in INPUTS[:40]:
            runtime.predict(example)
        runtime.release()
        assert runtime.resident == ()


def test_a_child_that_is_closed_while_it_routes_first_stays_closed() -> None:
    class Router:
        has_trunk = False

        def __call__(self, arrays: Any) -> np.ndarray:
            return np.zeros(1)

    class Models:
        routers, dense = (Router(),), dict[str, Any]()
        sizes = ()

        def renew(self) -> None:
            closing.start()
            closing.join(0.1)

    experts: Any = SimpleNamespace(free=None, has=None, reject=None)
    manifest: Any = SimpleNamespace(layers=())
    models: Any = Models()
    access = BundleAccess(manifest, models, experts, None, strict=True, inherited=True)
    closing = threading.Thread(target=access.close)
    with suppress(UsageError):  # the first input may still be answered
        access.route({})
    closing.join()
    assert access.is_closed
