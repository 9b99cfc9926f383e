"""Which expert is next: guessed from what followed before, and loaded while nobody waits."""

from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import pytest

from edge_experts import ExpertRuntime
from edge_experts.runtime.memory.prefetch import Prefetcher, Transitions
from edge_experts.runtime.memory.residency import Residency
from edge_experts.runtime.memory.room import Room

from ..loads import tiny
from ..many import INPUTS, spoil


def test_what_always_follows_is_certain() -> None:
    table = Transitions()
    assert table.likely(1) == (-1, 0.0)
    for _ in range(3):
        table.see(1, 2)
    assert table.likely(1) == (-1, 0.0)
    table.see(1, 2)
    assert table.likely(1) == (2, 1.0)


def test_habits_that_change_are_followed() -> None:
    table = Transitions()
    for _ in range(10_000):
        table.see(1, 2)
    for _ in range(40):
        table.see(1, 3)
    guess, probability = table.likely(1)
    assert guess == 3
    assert probability > 0.5


def test_what_follows_at_random_does_not_look_likely() -> None:
    table, chance = Transitions(), random.Random(0)
    likely = []
    for _ in range(5000):
        table.see(0, chance.randrange(64))
        likely.append(table.likely(0)[1])
    assert np.mean(np.array(likely) >= 0.5) < 0.05


def test_the_table_does_not_grow() -> None:
    table, chance = Transitions(), random.Random(0)
    for _ in range(20_000):
        table.see(chance.randrange(4096), chance.randrange(4096))
    assert len(table._rows) == 256
    assert max(map(len, table._rows.values())) <= 4


def _until(condition: object) -> None:
    assert callable(condition)
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.001)


def test_the_next_expert_is_there_before_it_is_asked(many_experts: Path) -> None:
    with ExpertRuntime(many_experts) as runtime:
        experts = {runtime.predict(example).expert: example for example in INPUTS[:40]}
    cycle = list(experts)[:3]
    with ExpertRuntime(many_experts, max_experts=2, prefetch=True) as runtime:
        for turn in range(60):
            following = cycle[(turn + 1) % 3]
            assert runtime.predict(experts[cycle[turn % 3]]).expert == cycle[turn % 3]
            if turn > 20:
                _until(lambda following=following: following in runtime.resident)
                assert len(runtime.resident) <= 2
        assert not runtime.quarantined


def test_a_damaged_guess_harms_nobody(many: Path) -> None:
    with ExpertRuntime(many) as runtime:
        experts = {runtime.predict(example).expert: example for example in INPUTS[:40]}
    first, second, *_ = experts
    with ExpertRuntime(many, max_experts=1, prefetch=True, retry_after=0.01) as runtime:
        for _ in range(8):
            runtime.predict(experts[first])
            runtime.predict(experts[second])
        runtime.release()
        spoil(many, second)
        for _ in range(20):
            assert not runtime.predict(experts[first]).degraded
            time.sleep(0.002)
        assert runtime.predict(experts[second]).degraded


def test_only_the_newest_guess_is_loaded() -> None:
    experts = Residency(tiny, Room([1] * 9, most=1))
    ahead = Prefetcher(experts)
    for guess in range(5):
        ahead._wanted.put((guess, True))
    for _ in range(5):
        ahead.answered(7)
        ahead.answered(8)
    _until(lambda: experts.resident == (7,))
    ahead.stop()


@pytest.mark.parametrize("guesses", [[None], [(1, True), None]])
def test_the_thread_ends_when_it_is_told_to(guesses: list[tuple[int, bool] | None]) -> None:
    from edge_experts.runtime.memory import prefetch

    experts = Residency(tiny, Room([1] * 3))
    ahead = Prefetcher(experts)
    for guess in guesses:
        ahead._wanted.put(guess)
    prefetch._work(lambda: None, ahead._wanted)  # type: ignore[arg-type]
    assert experts.resident == ()


def test_the_thread_ends_with_its_runtime() -> None:
    from edge_experts.runtime.memory import prefetch

    ahead = Prefetcher(Residency(tiny, Room([1])))
    ahead._wanted.put((0, True))
    prefetch._work(lambda: None, ahead._wanted)  # type: ignore[arg-type]
    ahead.stop()
