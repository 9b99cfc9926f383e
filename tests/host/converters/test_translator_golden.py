"""Golden examples of translators: texts that every interpreter writes, far from a tie."""

from __future__ import annotations

import numpy as np
import pytest
from edge_experts.converters.tasks.translation import alike, golden_certainty
from edge_experts.converters.verify.keras_reference import KerasReference


def reference(experts: list[int]) -> KerasReference:
    arrays = {"experts": np.array(experts), "confidence": np.ones(len(experts))}
    return KerasReference(arrays)


def answers(
    pieces: list[list[int]], least: list[float], experts: list[int]
) -> dict[str, np.ndarray]:
    return {
        "pieces": np.array(pieces, np.int32),
        "least": np.array(least),
        "experts": np.array(experts),
    }


def test_rows_of_tokens_are_compared_without_their_padding() -> None:
    short = np.array([[5, 1], [5, -1], [5, 1]])
    long = np.array([[5, 1, -1], [5, -1, -1], [5, 1, 1]])
    assert alike(short, long).tolist() == alike(long, short).tolist() == [True, True, False]
    assert alike(short, short).all()


def test_a_text_counts_by_its_least_certain_token_on_any_interpreter() -> None:
    one = answers([[5, 1], [6, 1]], [0.9, 0.8], [0, 0])
    other = answers([[5, 1], [6, 1]], [0.7, 0.95], [0, 0])
    assert golden_certainty([one, other], reference([0, 0])).tolist() == [0.7, 0.8]


@pytest.mark.parametrize("order", [1, -1])
def test_a_near_tie_that_interpreters_break_differently_is_no_golden_example(order: int) -> None:
    runs = [
        answers([[5, 1, -1], [6, 7, 1], [8, 1, -1]], [0.9, 0.501, 0.6], [0, 0, 1]),
        answers([[5, 1], [6, 1], [8, 1]], [0.9, 0.502, 0.6], [0, 0, 0]),
    ]
    found = golden_certainty(runs[::order], reference([0, 0, 0]))
    assert found.tolist() == [0.9, 0, 0], "another token in the second, another expert in the third"
