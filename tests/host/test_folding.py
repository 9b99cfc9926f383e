"""A fine table in experts' small ones: nothing is lost where experts share no n-grams."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

SMALL, TIMES, LABELS = 8, 2, 3
# Numbers of n-grams: 1 and 9 share a row of a small table, and are two rows of the fine one.
IDS = np.array([[1, 2], [1, 3], [9, 4], [9, 2]], np.int32)
OWNERS = np.array([0, 0, 1, 1])
ARRAYS = {"ids": IDS, "weights": np.full(IDS.shape, 0.7, np.float32)}


@pytest.fixture
def expert(keras: Any) -> Any:
    from edge_experts.training.layers import WeightedBag

    def make() -> Any:
        ids, weights = (
            keras.Input((2,), dtype="int32", name="ids"),
            keras.Input((2,), name="weights"),
        )
        columns = WeightedBag(SMALL, 5)([ids, weights])
        return keras.Model({"ids": ids, "weights": weights}, keras.layers.Dense(LABELS)(columns))

    return make


def test_each_expert_answers_its_own_inputs_as_the_fine_network_did(expert: Any) -> None:
    from edge_experts.training.folding import finer, fold

    experts = [expert(), expert()]
    fine = finer(experts[0], TIMES)
    assert fine is not None
    assert fine.layers[2].table.shape == (TIMES * SMALL, 5)
    whole = fine(ARRAYS).numpy()
    fold(fine, experts, ARRAYS, OWNERS)
    for place, network in enumerate(experts):
        mine = np.equal(OWNERS, place)
        answers = network(ARRAYS).numpy()
        assert answers[mine] == pytest.approx(whole[mine], abs=2e-3)
        assert np.abs(answers[~mine] - whole[~mine]).max() > 5e-3


def test_rows_that_no_input_uses_are_nothing_and_shared_ones_are_means(expert: Any) -> None:
    from edge_experts.training.folding import finer, fold

    network = expert()
    fine = finer(network, TIMES)
    assert fine is not None
    fold(fine, [network], ARRAYS, np.zeros(4, int))
    wide, table = fine.layers[2].table.numpy(), network.layers[2].table.numpy()
    assert table[1] == pytest.approx((wide[1] + wide[9]) / 2)
    assert table[2] == pytest.approx(wide[2])
    assert not table[[0, 5, 6, 7]].any()


def test_a_network_without_a_bag_has_nothing_to_fold(keras: Any) -> None:
    from edge_experts.training.folding import finer

    inputs = keras.Input((4,))
    assert finer(keras.Model(inputs, keras.layers.Dense(2)(inputs)), 3) is None
