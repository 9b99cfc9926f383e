"""Several bundles in one process under one memory budget."""

from __future__ import annotations

import gc
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from edge_experts import ExpertRuntime, MemoryBudget
from edge_experts.errors import MemoryBudgetError, UsageError
from edge_experts.runtime.memory.memory_budget import BudgetMembers
from edge_experts.runtime.memory.residency import Residency
from edge_experts.runtime.memory.room import Room
from tests.tiny import INPUTS, tiny_bundle

from ..loads import tiny
from ..many import INPUTS as MANY

KB = 1000  # bytes that each model of a tiny bundle counts


@pytest.fixture
def bundles(tmp_path: Path) -> tuple[Path, Path]:
    """Two bundles of a router and two experts, 1 kB each."""
    first = tiny_bundle(tmp_path / "first.bundle")
    return first, Path(shutil.copytree(first, tmp_path / "second.bundle"))


@pytest.mark.parametrize(
    ("budget", "most", "holds_all"),
    [(None, None, False), (7, None, False), (8, None, True), (8, 2, False), (8, 3, True)],
)
def test_a_budget_holds_all_experts(budget: int | None, most: int | None, holds_all: bool) -> None:
    room = Room([1, 2, 3], budget, most, beside={"router": 2})
    assert room.holds_all == holds_all


def test_two_bundles_take_memory_from_each_other(bundles: tuple[Path, Path]) -> None:
    budget = MemoryBudget("3KB")  # two routers, and one expert of either
    first, second = (ExpertRuntime(one, memory_budget=budget) for one in bundles)
    assert budget.used == 2 * KB
    alone = [first.predict(one).scores.tolist() for one in INPUTS[:2]]
    assert (len(first.resident), len(second.resident), budget.used) == (1, 0, 3 * KB)
    for _ in range(3):
        for runtime in (second, first):
            for example, wanted in zip(INPUTS[:2], alone, strict=True):
                assert runtime.predict(example).scores.tolist() == wanted
                assert budget.used <= budget.bytes
    assert second.counts.evictions > 0, "the first bundle took its memory"
    first.close()
    assert budget.used == len(second.resident) * KB + KB
    second.close()
    assert budget.used == 0


def test_a_bundle_that_is_opened_later_gets_memory_at_once(bundles: tuple[Path, Path]) -> None:
    budget = MemoryBudget("3KB")
    with ExpertRuntime(bundles[0], memory_budget=budget) as first:
        for example in INPUTS:
            first.predict(example)
        assert budget.used == 3 * KB, "its router and both experts"
        with ExpertRuntime(bundles[1], memory_budget=budget):
            assert budget.used == 3 * KB, "two routers and one expert"


def test_the_least_recently_used_bundle_gives(bundles: tuple[Path, Path]) -> None:
    budget = MemoryBudget(5 * KB)  # two routers and three experts
    with (
        ExpertRuntime(bundles[0], memory_budget=budget) as first,
        ExpertRuntime(bundles[1], memory_budget=budget) as second,
    ):
        by_expert = {first.predict(one).expert: one for one in INPUTS}
        zero, one = by_expert[0], by_expert[1]
        assert sorted(first.resident) == [0, 1]
        second.predict(zero)
        first.predict(one)
        second.predict(zero)
        second.predict(one)  # the first bundle was used before the second
        assert (first.resident, sorted(second.resident)) == ((1,), [0, 1])


def test_a_bundle_that_does_not_fit_beside_another_is_refused(bundles: tuple[Path, Path]) -> None:
    budget = MemoryBudget("2.5KB")
    with ExpertRuntime(bundles[0], memory_budget=budget) as first:
        with pytest.raises(MemoryBudgetError, match="other bundles 1,000"):
            ExpertRuntime(bundles[1], memory_budget=budget)
        assert first.predict(INPUTS[0]).expert in (0, 1)
    gc.collect()
    with ExpertRuntime(bundles[1], memory_budget=budget) as second:
        assert second.predict(INPUTS[0]).expert in (0, 1)


def test_a_pinned_expert_leaves_room_for_other_bundles(bundles: tuple[Path, Path]) -> None:
    budget = MemoryBudget("3KB")
    first, second = (ExpertRuntime(one, memory_budget=budget) for one in bundles)
    with pytest.raises(MemoryBudgetError):
        first.pin(0)
    assert second.predict(INPUTS[0]).expert in (0, 1)
    assert first.predict(INPUTS[0]).expert in (0, 1)


def test_a_dropped_runtime_leaves_the_budget(bundles: tuple[Path, Path]) -> None:
    budget = MemoryBudget("2KB")
    runtime = ExpertRuntime(bundles[0], memory_budget=budget)
    runtime.predict(INPUTS[0])
    del runtime
    gc.collect()
    assert budget.used == 0


def test_threads_of_two_bundles_never_exceed_the_budget(many: Path, tmp_path: Path) -> None:
    """Room for three experts; every answer is that of a runtime alone."""
    other = Path(shutil.copytree(many, tmp_path / "other.bundle"))
    with ExpertRuntime(many) as alone:
        wanted = [alone.predict(one).scores for one in MANY[:64]]
        costs = max(alone.manifest.experts[0].resident_bytes, 1)
        beside = alone.resident_bytes - costs * len(alone.resident)
    budget = MemoryBudget(2 * beside + 3 * costs + 1000)
    runtimes = [ExpertRuntime(one, memory_budget=budget, strict=True) for one in (many, other)]
    wrong: list[int] = []

    def ask(seed: int) -> None:
        chance = np.random.default_rng(seed)
        for row in chance.integers(64, size=300).tolist():
            answer = runtimes[int(chance.integers(2))].predict(MANY[row])
            if not np.array_equal(answer.scores, wanted[row]) or budget.used > budget.bytes:
                wrong.append(row)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not wrong
    assert all(runtime.counts.evictions for runtime in runtimes)


def test_experts_that_fit_again_are_no_longer_refused(tmp_path: Path) -> None:
    """A large bundle comes and goes; so does one that is refused itself."""
    budget = MemoryBudget("3KB")
    small = tiny_bundle(tmp_path / "small.bundle")
    with ExpertRuntime(small, memory_budget=budget, costs=(500, 1500)) as first:
        with ExpertRuntime(small, memory_budget=budget, costs=(500, 500)):
            assert list(first.quarantined) == [1], "1,500 bytes do not fit beside two routers"
        assert first.quarantined == {}
        with pytest.raises(MemoryBudgetError):
            ExpertRuntime(small, memory_budget=budget, costs=(1500, 1500))
        assert first.quarantined == {}
        assert not any(first.predict(one).degraded for one in INPUTS)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_has_the_limit_for_itself(bundles: tuple[Path, Path]) -> None:
    budget = MemoryBudget("3KB")
    runtimes = [ExpertRuntime(one, memory_budget=budget) for one in bundles]
    wanted = [one.predict(INPUTS[0]).label for one in runtimes]
    with budget.members().lock:  # as another thread may hold it
        child = os.fork()
        if child == 0:
            same = [one.predict(INPUTS[0]).label for one in runtimes] == wanted
            os._exit(0 if same and budget.used == 3 * KB else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("size", ["8 apples", -1.5, None])
def test_another_size_is_refused(size: object) -> None:
    with pytest.raises(UsageError, match="MemoryBudget must be"):
        MemoryBudget(size)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(
    some.lists(some.integers(1, 20), min_size=2, max_size=4),
    some.lists(some.tuples(some.integers(0, 2), some.integers(0, 3)), max_size=40),
)
def test_any_order_of_uses_keeps_the_budget(costs: list[int], uses: list[tuple[int, int]]) -> None:
    members, budget = BudgetMembers(), max(costs) + 20
    crews = [Residency(tiny, Room(costs, budget), members=members) for _ in range(3)]
    for which, index in uses:
        crew = crews[which]
        crew.free(crew.hold(index % len(costs)))
        assert members.taken == sum(one.used for one in crews) <= budget
        assert index % len(costs) in crew.resident
