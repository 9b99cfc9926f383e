"""Arrays and rows to numbers: standardized, gaps filled, odd input refused in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_experts.errors import DataError, UsageError
from edge_experts.features import ArrayFeatures, TableFeatures, restore

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (50, 6, 5)).astype(np.uint8)
WINDOWS = RANDOM.normal([5, -3], [2, 0.1], (50, 9, 2))
ROWS = [
    {"height": str(n % 7), "colour": ["red", "blue"][n % 2], "wet": "", "same": "3"}
    | ({"wet": ["yes", "no"][n % 3 % 2]} if n % 5 else {})
    for n in range(40)
]


def test_images_share_one_scale() -> None:
    features = ArrayFeatures.fit(IMAGES, channels=False)
    x = np.concatenate([features.encode(image)["x"] for image in IMAGES])
    assert x.shape == (50, 6, 5)
    assert x.dtype == np.float32
    assert x.mean() == pytest.approx(0, abs=1e-5)
    assert x.std() == pytest.approx(1, abs=1e-4)


def test_every_channel_of_a_window_has_its_own_scale() -> None:
    features = ArrayFeatures.fit(WINDOWS, channels=True)
    x = np.concatenate([features.encode(window)["x"] for window in WINDOWS])
    assert x.mean(axis=(0, 1)) == pytest.approx([0, 0], abs=1e-5)
    assert x.std(axis=(0, 1)) == pytest.approx([1, 1], abs=1e-4)


def test_gaps_count_as_the_mean_and_constant_channels_as_nothing() -> None:
    table = np.array([[1.0, 5, np.nan], [3, 5, np.inf], [np.nan, 5, np.nan]])
    features = ArrayFeatures.fit(table, channels=True)
    x = features.encode([np.nan, 5, 1])["x"]
    assert x.tolist() == [[0, 0, 1]]
    assert features.encode([3, 5, np.inf])["x"].tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("example", [[1, 2], "abc", [[1], [2, 3]], None, {"a": 1}])
def test_an_array_of_another_shape_is_refused(example: object) -> None:
    features = ArrayFeatures.fit(IMAGES, channels=False)
    with pytest.raises(UsageError, match="an example must"):
        features.encode(example)


def test_rows_become_numbers() -> None:
    features = TableFeatures.fit(ROWS)
    x = features.encode({"height": "3", "colour": " blue ", "wet": "No", "same": "3"})["x"]
    # height, same; then blue, red; then false, true.
    assert x == pytest.approx(np.array([[0.05, 0, 1, 0, 1, 0]]), abs=0.03)


def test_gaps_and_what_training_never_saw_count_as_nothing() -> None:
    features = TableFeatures.fit(ROWS)
    warnings: list[str] = []
    gaps = {"height": "NA", "colour": None, "wet": "", "same": "?"}
    assert features.encode(gaps, warnings)["x"].tolist() == [[0] * 6]
    assert warnings == ["no column has a value that training knows: the answer says nothing"]
    warnings.clear()
    unseen = {"height": None, "colour": "green", "wet": None, "same": 7, "more": 1}
    assert features.encode(unseen, warnings)["x"] == pytest.approx(np.zeros((1, 6)))
    assert [warning.partition(":")[0] for warning in warnings] == [
        "columns that are not used",
        "column 'same'",
        "column 'colour'",
    ]


def test_a_row_without_a_column_is_refused_by_name() -> None:
    features = TableFeatures.fit(ROWS)
    no_row: Any = [1, 2, 3]
    with pytest.raises(UsageError, match="no column colour, same, wet"):
        features.encode({"height": 3})
    with pytest.raises(UsageError, match="must map columns to values"):
        features.encode(no_row)


def test_identifiers_are_left_out_or_refused_by_name() -> None:
    rows = [{"id": f"user {n}", "x": str(n % 7)} for n in range(200)]
    assert TableFeatures.fit(rows).columns == ["x"]
    with pytest.raises(DataError, match=r"'id': 150 different texts.*--drop id"):
        TableFeatures.fit([{"id": f"user {n % 150}", "x": str(n % 7)} for n in range(200)])


def test_restored_features_are_the_same() -> None:
    arrays = ArrayFeatures.fit(WINDOWS, channels=True)
    again = restore("array", arrays.settings, arrays.arrays)
    assert np.array_equal(arrays.encode(WINDOWS[0])["x"], again.encode(WINDOWS[0])["x"])
    rows = TableFeatures.fit(ROWS)
    again = restore("table", rows.settings, rows.arrays)
    assert np.array_equal(rows.encode(ROWS[3])["x"], again.encode(ROWS[3])["x"])


def test_packed_examples_come_back() -> None:
    arrays = ArrayFeatures.fit(IMAGES, channels=False)
    assert np.array_equal(arrays.unpack(arrays.pack(list(IMAGES))), IMAGES)
    rows = TableFeatures.fit(ROWS)
    assert rows.unpack(rows.pack(ROWS)) == ROWS


def test_lines_are_json() -> None:
    assert TableFeatures.fit(ROWS).parse('{"height": 3}') == {"height": 3}
    with pytest.raises(UsageError, match="not JSON"):
        ArrayFeatures.fit(IMAGES, channels=False).parse("[1, 2")
