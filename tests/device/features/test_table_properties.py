"""Any table and any row: typed or refused, and answered alike by file, JSON, HTTP and Python."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_experts import datasets
from edge_experts.datasets import rows
from edge_experts.errors import EdgeExpertsError
from edge_experts.features import TableFeatures, restore
from edge_experts.serving.tensors import examples_of, inputs_of

GAPS = st.sampled_from(["", "NA", "n/a", "?", "null", "-", "NaN", "None", "#N/A", "\\N"])
NUMBERS = st.one_of(
    st.floats(-1e9, 1e9).map(lambda number: f"{number:.3f}"),
    st.integers(-9999, 9999).map(str),
    st.floats(0, 1e6).map(lambda number: f"{number:,.2f}"),
    st.floats(0, 1e6).map(lambda number: f"{number:.1f} %"),
    st.integers(0, 999).map(lambda number: f"{number} cm"),
)
WORDS = st.sampled_from(
    ["red", "blue", "none", "1A", "yes", "No", "true", "FALSE", "0", "1", "2.0"]
)
ODD = st.text(max_size=12)
CELLS = st.one_of(NUMBERS, WORDS, GAPS, ODD)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=20),
        NUMBERS,
        WORDS,
        GAPS,
        st.floats(width=32).map(np.float32),
        st.integers(0, 255).map(np.uint8),
        st.booleans().map(np.bool_),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner)),
    max_leaves=4,
)
QUIET = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _features() -> TableFeatures:
    """A number, a number with a unit, a flag, true and false, and a category."""
    table = [
        {
            "plain": f"{n * 7 % 23}.5",
            "share": f"{n % 9} %",
            "flag": str(n % 2),
            "wet": ["yes", "no", ""][n % 3],
            "colour": ["red", "blue", "2"][n % 3],
        }
        for n in range(60)
    ]
    return TableFeatures.fit(table)


FEATURES = _features()


def _encoded(features: TableFeatures, row: Any) -> bytes | None:
    """What a row becomes; None where it is refused. Nothing else is raised."""
    try:
        x = features.encode(row, [])["x"]
    except EdgeExpertsError:
        return None
    assert np.isfinite(x).all()
    return x.tobytes()


def test_the_columns_have_these_types() -> None:
    kinds = {column["name"]: column["type"] for column in FEATURES.inputs}
    assert kinds == {
        "plain": "number",
        "share": "number",
        "flag": "number",
        "wet": "boolean",
        "colour": "category",
    }


@QUIET
@given(st.fixed_dictionaries(dict.fromkeys(FEATURES.columns, VALUES)))
def test_any_values_are_numbers_or_refused(row: dict[str, Any]) -> None:
    _encoded(FEATURES, row)


@QUIET
@given(VALUES)
def test_any_example_is_a_row_or_refused(example: Any) -> None:
    _encoded(FEATURES, example)


@QUIET
@given(st.lists(CELLS, min_size=5, max_size=5))
def test_a_row_is_answered_alike_from_a_file_json_and_python(
    tmp_path: Path, cells: list[str]
) -> None:
    plain = [cell.strip().replace("\0", "").encode("utf-8", "ignore").decode() for cell in cells]
    row = dict(zip(FEATURES.columns, plain, strict=True))
    wanted = _encoded(FEATURES, row)
    assert _encoded(FEATURES, FEATURES.parse(json.dumps(row))) == wanted
    again = restore("table", json.loads(json.dumps(FEATURES.settings)), FEATURES.arrays)
    assert isinstance(again, TableFeatures)
    assert _encoded(again, row) == wanted
    if any(character in cell for cell in plain for character in "\r\n\x85\u2028"):
        return
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in plain]
    path = tmp_path / "d.csv"
    path.write_text(",".join(FEATURES.columns) + "\n" + ",".join(quoted) + "\n", encoding="utf-8")
    read = [one for _, one in rows.read(path)]
    assert read == ([row] if any(plain) else [])


@QUIET
@given(
    st.floats(-1e6, 1e6),
    st.floats(0, 100),
    st.sampled_from([0, 1]),
    st.sampled_from([0, 1, None]),
    st.sampled_from(["red", "blue", "2", "green", ""]),
)
def test_numbers_are_answered_alike_by_http_json_text_and_numpy(
    plain: float, share: float, flag: int, wet: int | None, colour: str
) -> None:
    row = dict(zip(FEATURES.columns, (plain, share, flag, wet, colour), strict=True))
    wanted = _encoded(FEATURES, row)
    assert wanted is not None
    words = {0: "false", 1: "true", None: None}
    texts = {
        "plain": repr(plain),
        "share": f"{share!r}%",
        "flag": str(flag),
        "wet": words[wet],
        "colour": 2 if colour == "2" else colour,
    }
    assert _encoded(FEATURES, texts) == wanted
    assert _encoded(FEATURES, {**row, "flag": bool(flag), "plain": np.float64(plain)}) == wanted
    tensors = [
        {**tensor, "shape": [1], "data": [row[tensor["name"]]]} for tensor in inputs_of(FEATURES)
    ]
    assert [tensor["datatype"] for tensor in tensors] == ["FP64", "FP64", "FP64", "BOOL", "BYTES"]
    (from_http,) = examples_of(FEATURES, tensors, 1)
    assert _encoded(FEATURES, from_http) == wanted


@pytest.mark.parametrize("datatype", ["BOOL", "FP64", "INT8"])
@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_no_number_over_http_either(datatype: str, value: bool) -> None:
    row = dict(zip(FEATURES.columns, (1.0, 1.0, True, True, "red"), strict=True))
    for name, is_refused in (("plain", True), ("flag", False)):
        tensors = [
            {**tensor, "shape": [1], "data": [row[tensor["name"]]]}
            | ({"datatype": datatype, "data": [value]} if tensor["name"] == name else {})
            for tensor in inputs_of(FEATURES)
        ]
        (example,) = examples_of(FEATURES, tensors, 1)
        encoded = _encoded(FEATURES, example)
        assert encoded == _encoded(FEATURES, {**row, name: value})
        assert (encoded is None) == is_refused


@settings(QUIET, max_examples=150)
@given(
    st.lists(st.one_of(st.just(NUMBERS), st.just(WORDS), st.just(ODD)), min_size=1, max_size=3),
    st.data(),
)
def test_what_training_takes_of_any_table_its_rows_are_answered(
    tmp_path: Path, kinds: list[Any], data: st.DataObject
) -> None:
    lines = [",".join([*(f"c{place}" for place in range(len(kinds))), "label"])]
    for number in range(24):
        cells = [data.draw(st.one_of(kind, GAPS)) for kind in kinds]
        quoted = ['"' + cell.replace('"', '""').replace("\0", "") + '"' for cell in cells]
        lines.append(",".join([*quoted, "ab"[number % 2]]))
    path = tmp_path / "d.csv"
    path.write_text("\n".join(lines), encoding="utf-8", errors="ignore")
    try:
        loaded = datasets.load(str(path))
    except EdgeExpertsError:
        return
    features = TableFeatures.fit(list(loaded.train.inputs), loaded.types)
    for row in loaded.train.inputs:
        assert _encoded(features, row) is not None
    for row in loaded.test.inputs:
        assert _encoded(features, row) is not None, "types are of all rows"


@pytest.mark.parametrize(
    "value",
    [10**400, -(10**5000), float("inf"), "inf", "1e999"],
    ids=["large", "huge", "infinite", "word", "text"],
)
def test_what_no_float_holds_is_a_gap_with_a_warning(value: Any) -> None:
    warnings: list[str] = []
    row = {"plain": value, "share": 1, "flag": 0, "wet": True, "colour": "red"}
    gap = FEATURES.encode({**row, "plain": None})["x"]
    assert FEATURES.encode(row, warnings)["x"].tolist() == gap.tolist()
    assert "'plain'" in warnings[0]
    assert "infinite" in warnings[0]


def _warned(features: TableFeatures, row: dict[str, Any]) -> list[str]:
    warnings: list[str] = []
    features.encode(row, warnings)
    return warnings


ROW = dict(zip(FEATURES.columns, (1.5, 2.0, 1, True, "red"), strict=True))


@pytest.mark.parametrize("gap", [None, float("nan"), np.float32("nan"), "", "n/a"])
@pytest.mark.parametrize("name", list(FEATURES.columns))
def test_a_gap_is_no_number_outside_the_range_of_training(name: str, gap: Any) -> None:
    assert _warned(FEATURES, {**ROW, name: gap}) == []


def test_a_row_of_gaps_alone_is_answered_with_a_warning() -> None:
    (warning,) = _warned(FEATURES, dict.fromkeys(FEATURES.columns))
    assert "no column has a value" in warning
    assert "colour" in _warned(FEATURES, {**dict.fromkeys(FEATURES.columns), "colour": "mauve"})[0]


@pytest.mark.parametrize("share", [0.65, 1, "0.65", "0.65 %"])
def test_a_share_of_1_in_a_column_of_percent_is_warned_of(share: Any) -> None:
    features = TableFeatures.fit([{"share": f"{20 + n}.5 %"} for n in range(50)])
    (warning,) = _warned(features, {"share": share})
    assert "if it is a share of 1" in warning
    assert _warned(features, {"share": 30}) == []
    assert _warned(FEATURES, {**ROW, "share": share}) == [], "its range begins at 0"


@pytest.mark.parametrize("trained", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_names_of_columns_that_look_the_same_are_the_same(trained: Any, asked: Any) -> None:
    column = unicodedata.normalize(trained, "Ge\u00f6ffnet")
    features = TableFeatures.fit([{column: n * 7 % 23 + 0.5} for n in range(50)])
    wanted = features.encode({column: 3.5})["x"]
    found = features.encode({unicodedata.normalize(asked, column): 3.5})["x"]
    assert found.tobytes() == wanted.tobytes()
