"""64 experts of 1 MB, two of them in memory, against one dense network of as many weights."""

from __future__ import annotations

import pytest

from device_tests.boards.memory import Figures, measure


@pytest.fixture(scope="module")
def roomy() -> Figures:
    return measure(512)


def test_experts_take_what_two_of_them_take(roomy: Figures) -> None:
    assert roomy.answered == roomy.experts == 64
    assert roomy.sparse_growth <= roomy.bound


def test_the_dense_network_takes_five_times_as_much(roomy: Figures) -> None:
    assert roomy.dense_growth is not None
    assert roomy.sparse_growth <= roomy.dense_growth / 5


def test_with_128_mb_only_the_experts_answer(roomy: Figures) -> None:
    tight = measure(128)
    assert tight.labels == roomy.labels
    assert tight.dense_growth is None
