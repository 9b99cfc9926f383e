"""Residency policies: who leaves memory, against plain models, and what a task's own one saves."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.runtime.memory.policy import Policy
from edge_experts.runtime.memory.residency import Residency
from edge_experts.runtime.memory.room import Room

from ..loads import tiny, use

LAYERS = (range(4), range(4, 8))


class Expert:
    """Nothing to load, so that long sequences take no time."""

    name, content = "expert", b""

    def __call__(self, arrays: Any) -> Any:
        return arrays

    def warm_up(self) -> None:
        return


def least_frequent(layers: Sequence[range]) -> Policy:
    """The policy of the test package."""
    policy: Policy = importlib.import_module("two_layers.policy").LeastFrequent(layers)
    return policy


def _modelled(sequence: Sequence[int], most: int, layers: Sequence[range] | None) -> list[set[int]]:
    """Residents after each use, by lists; layers: least frequent within, None: least recent."""
    recent: list[int] = []
    uses: Counter[int] = Counter()
    found = []
    for index in sequence:
        uses[index] += 1
        if index in recent:
            recent.remove(index)
        elif len(recent) == most:
            victims = recent
            if layers is not None:
                own = [one for one in recent if (one in layers[0]) == (index in layers[0])]
                victims = sorted(own or recent, key=lambda one: (uses[one], recent.index(one)))
            recent.remove(victims[0])
        recent.append(index)
        found.append(set(recent))
    return found


SEQUENCES = st.lists(st.integers(0, 7), max_size=60)


@pytest.mark.usefixtures("two_layers")
@pytest.mark.parametrize("layers", [None, LAYERS])
@given(sequence=SEQUENCES, most=st.integers(1, 8))
def test_residents_are_those_of_a_plain_model(
    layers: Sequence[range] | None, sequence: list[int], most: int
) -> None:
    policy = None if layers is None else least_frequent(layers)
    experts = Residency(lambda index: Expert(), Room([1] * 8, most=most), policy=policy)
    expected = _modelled(sequence, most, layers)
    for index, residents in zip(sequence, expected, strict=True):
        use(experts, index)
        assert set(experts.resident) == residents


class Anyone:
    """Notes what it is offered, and takes one by chance."""

    def __init__(self, seed: int):
        self.random, self.offered = np.random.default_rng(seed), list[tuple[int, ...]]()
        self.uses: list[int] = []

    def used(self, index: int) -> None:
        self.uses.append(index)

    def victim(self, idle: Sequence[int], wanted: int) -> int:
        assert wanted not in idle
        self.offered.append(tuple(idle))
        return int(self.random.choice(idle))


@given(sequence=SEQUENCES, held=st.integers(0, 7), pinned=st.integers(0, 7), seed=st.integers(0, 9))
def test_an_expert_that_is_pinned_or_in_use_is_never_offered(
    sequence: list[int], held: int, pinned: int, seed: int
) -> None:
    policy = Anyone(seed)
    experts = Residency(lambda index: Expert(), Room([1] * 8, 3), policy=policy, pinned=[pinned])
    slot = experts.hold(held)
    for index in [pinned, *sequence]:
        use(experts, index)
        assert {held, pinned, index} <= set(experts.resident)
        assert experts.used <= 3
    assert policy.uses == [held, pinned, *sequence]
    assert all(not {held, pinned} & set(offered) for offered in policy.offered)
    experts.free(slot)


def test_a_policy_that_names_another_expert_is_a_fault_and_leaves_the_rest_as_it_was() -> None:
    class Wrong(Anyone):
        def victim(self, idle: Sequence[int], wanted: int) -> int:
            return wanted

    experts = Residency(tiny, Room([1] * 4, 2), policy=Wrong(0))
    for index in (0, 1):
        use(experts, index)
    with pytest.raises(ValueError, match=r"chose expert 2; only \(0, 1\) may leave"):
        experts.hold(2)
    use(experts, 0)
    assert (experts.resident, experts.used) == ((1, 0), 2)


def test_an_expert_that_is_loaded_ahead_is_no_use_of_it() -> None:
    policy = Anyone(0)
    experts = Residency(tiny, Room([1] * 4, 2), policy=policy)
    assert experts.prefetch(3, replace=True)
    use(experts, 1)
    assert experts.prefetch(2, replace=True)
    assert policy.uses == [1]
    assert len(policy.offered) == 1


@pytest.mark.usefixtures("two_layers")
def test_a_skewed_sequence_needs_fewer_loads_with_the_least_frequent() -> None:
    """Two layers by turns of 16 experts each, used by Zipf's law; room for 8 of the 32."""
    layers = (range(16), range(16, 32))
    chance = np.random.default_rng(0)
    shares = 1 / np.arange(1, 17)
    picks = chance.choice(16, size=(4000, 2), p=shares / shares.sum())
    sequence = (picks + np.array([0, 16])).ravel().tolist()
    loads = {}
    for name, policy in (("recent", None), ("frequent", least_frequent(layers))):
        experts = Residency(lambda index: Expert(), Room([1] * 32, most=8), policy=policy)
        for index in sequence:
            use(experts, index)
        loads[name] = experts.counts.loads
    print(f"loads of {len(sequence)} uses: {loads}")
    assert loads["frequent"] < 0.85 * loads["recent"]
