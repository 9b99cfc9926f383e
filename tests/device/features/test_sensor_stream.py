"""Windows of rows as they come: counts, steadiness, gaps, interpolation, hostile settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.features.sensor_stream import SensorStream, WindowCutter

TIMED = SensorStream(("a",), 2, "t", 1.0)


def _cut(stream: SensorStream, length: int, moments: list[float] | None, rows: int) -> list[Any]:
    cutter: WindowCutter[int] = WindowCutter(stream, length)
    found = []
    for place in range(rows):
        values = np.array([place] * len(stream.channels), np.float32)
        found += list(cutter.push(values, place, None if moments is None else moments[place]))
    return found


@given(st.integers(2, 9), st.integers(1, 12), st.integers(0, 60))
def test_windows_are_those_of_slices(length: int, stride: int, rows: int) -> None:
    found = _cut(SensorStream(("a", "b"), stride), length, None, rows)
    starts = range(0, rows - length + 1, stride)
    assert [list(window.tags) for window in found] == [
        list(range(start, start + length)) for start in starts
    ]
    for window in found:
        assert window.rows.shape == (length, 2)
        assert window.rows.dtype == np.float32
        assert (window.rows[:, 0] == list(window.tags)).all()


@given(st.lists(st.floats(-0.2, 0.2), min_size=20, max_size=20))
def test_a_steady_sensors_numbers_stay_untouched(jitter: list[float]) -> None:
    """Each row within a quarter of the interval of the one before is taken as it is."""
    moments = list(np.cumsum(1.0 + np.array(jitter)))
    found = _cut(TIMED, 4, moments, 20)
    assert [list(window.tags) for window in found] == [
        list(range(start, start + 4)) for start in range(0, 17, 2)
    ]


def test_a_row_that_is_missing_is_interpolated() -> None:
    cutter: WindowCutter[str] = WindowCutter(SensorStream(("a",), 4, "t", 1.0), 4)
    rows = [(0.0, 0.0, "x"), (1.0, 10.0, "x"), (3.0, 30.0, "y")]
    found = [
        window
        for moment, value, tag in rows
        for window in cutter.push(np.array([value], np.float32), tag, moment)
    ]
    (window,) = found
    assert window.rows[:, 0].tolist() == [0.0, 10.0, 20.0, 30.0]
    assert list(window.tags) == ["x", "x", "y", "y"]


def test_rows_that_come_too_often_are_thinned_out() -> None:
    found = _cut(SensorStream(("a",), 3, "t", 1.0), 3, [0.5 * place for place in range(9)], 9)
    assert [list(window.tags) for window in found] == [[0, 2, 4]]


def test_after_a_gap_a_window_begins_anew() -> None:
    moments = [0.0, 1.0, 2.0, 10.0, 11.0, 12.0, 13.0]
    found = _cut(SensorStream(("a",), 4, "t", 1.0), 4, moments, 7)
    assert [list(window.tags) for window in found] == [[3, 4, 5, 6]]


def test_a_time_written_twice_is_taken_once_and_one_that_goes_back_is_an_error() -> None:
    cutter: WindowCutter[int] = WindowCutter(TIMED, 2)
    row = np.zeros(1, np.float32)
    assert not list(cutter.push(row, 0, 5.0))
    assert not list(cutter.push(row, 1, 5.0))
    with pytest.raises(ValueError, match="time 4 is before 5"):
        list(cutter.push(row, 2, 4.0))
    cutter.restart()
    assert not list(cutter.push(row, 3, 4.0))
    assert len(list(cutter.push(row, 4, 5.0))) == 1


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.integers(2, 5))
def test_any_times_give_whole_windows_in_bounded_memory(moments: list[float], length: int) -> None:
    found = _cut(TIMED, length, sorted(moments), len(moments))
    # A row adds at most the rows of a gap that is bridged.
    assert len(found) <= 4 * len(moments)
    assert all(window.rows.shape == (length, 1) for window in found)


@pytest.mark.parametrize(
    "changed",
    [
        {"channels": []},
        {"channels": ["a", "a"]},
        {"channels": "ab"},
        {"channels": [1]},
        {"channels": ["a" * 300]},
        {"channels": ["t"]},
        {"stride": 0},
        {"stride": True},
        {"stride": 1.5},
        {"stride": 10**9},
        {"interval": None},
        {"interval": -1.0},
        {"interval": float("nan")},
        {"interval": "1"},
        {"time": None},
        {"time": 3},
        {"recording": "a"},
        {"recording": 4},
    ],
)
def test_settings_of_another_form_are_refused(changed: dict[str, Any]) -> None:
    good = {"channels": ["a"], "stride": 2, "time": "t", "interval": 1, "recording": "person"}
    assert SensorStream.from_json(good).to_json() == good
    with pytest.raises((KeyError, TypeError, ValueError)):
        SensorStream.from_json({**good, **changed})
