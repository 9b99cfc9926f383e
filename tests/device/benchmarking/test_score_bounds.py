"""Intervals of scores stay within what a score can be: no bar is drawn above accuracy 1.00."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_experts.benchmarking.score import Accuracy, within_bounds


@given(st.floats(0, 1), st.integers(1, 10_000))
def test_an_accuracy_is_a_share(accuracy: float, examples: int) -> None:
    interval = Accuracy(accuracy, examples).score.interval
    assert interval is not None
    assert 0 <= interval[0] <= accuracy <= interval[1] <= 1


def test_intervals_over_trainings_are_cut_where_scores_end() -> None:
    assert within_bounds("accuracy", (0.96, 1.04)) == (0.96, 1.0)
    assert within_bounds("r2", (-3.0, 1.5)) == (-3.0, 1.0)
    assert within_bounds("mae", (-3.0, 1.5)) == (-3.0, 1.5)
    assert within_bounds("accuracy", None) is None
