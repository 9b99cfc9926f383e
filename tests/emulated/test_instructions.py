"""What an answer costs on ARM, in instructions."""

from __future__ import annotations

import pytest

from device_tests.boards.instructions import PROCESSORS, Table, count, read_table, refuse_growth
from edge_experts.errors import ThresholdError


@pytest.fixture(scope="module")
def counted() -> Table:
    return count()


def test_nothing_takes_more_than_the_table_says(counted: Table) -> None:
    refuse_growth(counted, read_table())


@pytest.mark.parametrize("processor", PROCESSORS)
def test_a_warm_answer_is_little_more_than_its_models(counted: Table, processor: str) -> None:
    counts = counted[processor]
    assert counts["1 MB experts/answer"] <= 1.05 * counts["1 MB experts/reference loop"]


@pytest.mark.parametrize("processor", PROCESSORS)
def test_it_is_a_quarter_of_the_dense_networks_or_less(counted: Table, processor: str) -> None:
    counts = counted[processor]
    assert counts["1 MB experts/answer"] <= counts["dense, as many weights/answer"] / 4


@pytest.mark.parametrize("processor", PROCESSORS)
def test_a_prompt_is_read_faster_than_a_text_is_written(counted: Table, processor: str) -> None:
    counts = counted[processor]
    assert counts["language model/token of a prompt"] < counts["language model/token"]


def test_a_slot_is_filled_faster_than_an_interpreter_is_opened(counted: Table) -> None:
    old, new = (counted[processor] for processor in PROCESSORS)
    assert new["language model, slots/load"] < new["language model, plain/load"] / 2
    assert "language model, plain/load" in old
    assert "language model, slots/load" not in old  # CompiledModel ends the process there


def test_growth_is_refused_above_three_percent() -> None:
    table = {"cortex-a72": {"answer": 1000}}
    refuse_growth({"cortex-a72": {"answer": 1030}}, table)
    with pytest.raises(ThresholdError, match="1,031 instead of 1,000"):
        refuse_growth({"cortex-a72": {"answer": 1031}}, table)


def test_what_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(ThresholdError, match="instructions --write"):
        refuse_growth({"cortex-a72": {"new": 1}}, {"cortex-a72": {}})
