"""Cells of tables: types by what most cells are, exceptions named, formats read or refused."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from edge_experts.errors import DataError, UsageError
from edge_experts.features.cells import NumberColumn, TypedColumn, typed

NUMBERS = [f"{n * 7 % 23}.{n % 10}" for n in range(60)]


def _typed(cells: Sequence[str], *, name: str = "c", comma: bool | None = None) -> TypedColumn:
    return typed("f.csv", name, cells, range(2, 2 + len(cells)), comma=comma)


def _kind(cells: Sequence[str], name: str = "c") -> str:
    column = _typed(cells, name=name).column
    return "left out" if column is None else column.to_json()["type"]


@pytest.mark.parametrize(
    "gap",
    [
        *("", " ", "NA", "N/A", "na", "NaN", "-nan", "null", "NULL", "None", "none", "?", "-"),
        *("--", ".", "#N/A", "#N/A N/A", "#NA", "#DIV/0!", "#VALUE!", "missing", "<NA>", "NaT"),
        *("\\N", "1.#QNAN", "n.a.", "nil", "\u2013"),
    ],
)
def test_a_gap_in_any_spelling_is_a_gap_of_a_column_of_numbers(gap: str) -> None:
    found = _typed([*NUMBERS, gap])
    assert isinstance(found.column, NumberColumn)
    assert found.column.read(gap, None) is None
    assert bool(gap.strip()) == any(f"line 62 {gap!r}" in note for note in found.notes)
    assert _typed(["red", "blue"] * 30 + [gap]).column is not None


@pytest.mark.parametrize(
    ("cells", "value", "text"),
    [
        (["1e3", "+5", " 7 "], 1000, "1e3"),
        (["1,234.5", "12.25"], 1234.5, "1,234.5"),
        (["1.234,5", "12,25"], 1234.5, "1.234,5"),
        (["1 234,5", "12,25"], 1234.5, "1 234,5"),
        (["1\u202f234,5", "12,25"], 1234.5, "1\u00a0234,5"),
        (["1'234.5", "12.25"], 1234.5, "1\u2019234.5"),
        (["12,34,567", "1,234,567"], 1234567, "12,34,567"),
        (["12.5%", "13 %"], 12.5, "12.5 %"),
        (["12 cm", "13cm"], 12, "12cm"),
        (["$1,200", "$5.50"], 1200, "$1,200"),
        (["5 \u20ac", "6,50 \u20ac"], 6.5, "6,50\u20ac"),
        (["\u22125", "7"], -5, "\u22125"),
        (["\u0663", "\u0664"], 3, "\u0663"),
        (["0", "1"], 1, "true"),
    ],
)
def test_a_number_is_read_as_its_column_writes_it(
    cells: list[str], value: float, text: str
) -> None:
    column = _typed(cells * 20).column
    assert isinstance(column, NumberColumn)
    assert column.read(text, None) == column.read(value, None) == value


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([*NUMBERS, "abc"], "60 of 61 cells .* line 62 'abc'.*--drop c"),
        ([*NUMBERS, "0x1F"], "line 62 '0x1F'"),
        ([*NUMBERS, "1_000"], "line 62 '1_000'"),
        ([*NUMBERS, "1.234,5"], "line 62 '1.234,5'"),
        ([*NUMBERS, *[f"no {n}" for n in range(12)]], r"60 of 72 .*\(12 cells in all\)"),
        (["1,234", "2,345", "12"] * 20, "'1,234' in line 2 may be a thousand times as large"),
        ([f"{n} cm" for n in NUMBERS] + ["1.2 m"] * 9, r"different units \('cm', 'm'\)"),
        ([f"{n} cm" for n in NUMBERS] + ["12"], "line 62 '12'"),
        (["0x1A", "0x2B"] * 20, "in a form that is not read"),
        ([f"({number})" for number in NUMBERS], r"in a form that is not read: line 2 '\(0.0\)'"),
    ],
)
def test_what_is_not_certain_is_refused_by_line_and_value(cells: list[str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        _typed(cells)


def test_the_rest_of_a_file_tells_what_a_comma_is() -> None:
    cells = ["1,234", "2,345", "12"] * 20
    values = [
        column.read("1,234", None)
        for comma in (True, False)
        if isinstance(column := _typed(cells, comma=comma).column, NumberColumn)
    ]
    assert values == [1.234, 1234]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["true", "FALSE", "True", ""], "boolean"),
        (["Ja", "nein"], "boolean"),
        (["on", "off"], "boolean"),
        (["y", "n", "NA"], "boolean"),
        (["wahr", "falsch"], "boolean"),
        (["1", "0"], "number"),
        (["yes", "no", "maybe"], "category"),
        (["yes", ""], "category"),
        (["1A", "2B", "3", "4"], "category"),
        (["1", "2", "3", "3+"], "category"),
        (["none", "mild", "severe"], "category"),
        (["+", "-"], "category"),
        (["1/2", "3/4"], "category"),
        (["10-20", "20-30"], "category"),
        (["1.2.3", "1.2.4"], "category"),
        (["2024-01-02", "2024-01-03T10:00:00Z"], "left out"),
        (["12.03.2024", "1.4.24 10:20"], "left out"),
        (["3/14/2024", "12/1/2024"], "left out"),
        (["10:20", "11:30:05"], "left out"),
        (["20240131", "20240201"], "left out"),
        (["Mar 12, 2024", "3 Apr 2024"], "left out"),
    ],
)
def test_the_type_of_a_column(cells: list[str], kind: str) -> None:
    assert _kind(cells * 20) == kind


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([str(n) for n in range(60)], "left out"),
        ([str(n * 0.02) for n in range(60)], "number"),
        ([str(1_700_000_000 + n * n) for n in range(60)], "left out"),
        ([str(n * n % 61) for n in range(60)], "number"),
        ([str(n * n) for n in range(60)], "number"),
        ([f"user {n}" for n in range(60)], "left out"),
        (["", "NA"] * 30, "left out"),
    ],
)
def test_what_only_tells_rows_apart_is_left_out(cells: list[str], kind: str) -> None:
    assert _kind(cells) == kind


def test_a_clock_is_known_by_its_name_too() -> None:
    cells = [str(1_700_000_000_000 + n * 37 % 1000) for n in range(60)]
    assert _kind(cells, "timestamp") == "left out"
    assert _kind(cells, "weight") == "number"
    rising = [str(n * 0.02) for n in range(60)]
    assert _kind(rising, "t") == _kind(rising, "elapsed_ms") == "left out"
    assert typed("f.csv", "t", rising, range(60), keep=True).column is not None


def test_a_word_that_is_a_gap_elsewhere_is_a_value_where_it_is_frequent() -> None:
    column = _typed(["none", "mild", "severe"] * 20).column
    assert column is not None
    assert column.to_json()["kept"] == ["none"]
    column = _typed(["red", "blue"] * 30 + ["none"]).column
    assert column is not None
    assert column.to_json()["kept"] == []
    column = _typed(["DE", "FR", "NA"] * 20).column
    assert column is not None
    assert column.to_json()["kept"] == ["NA"]


def test_times_are_numbers_where_the_user_wants_them() -> None:
    cells = [f"{n % 28 + 1}.{n % 12 + 1}.2024" for n in range(60)]
    column = typed("f.csv", "day", cells, range(60), keep=True).column
    assert column is not None
    assert column.read("2.1.2024", None) == column.read("2024-01-02", None) == 1704153600
    months = [f"{n % 12 + 1}/{n % 28 + 1}/2024" for n in range(60)]
    column = typed("f.csv", "day", months, range(60), keep=True).column
    assert column is not None
    assert column.read("1/2/2024", None) == 1704153600
    with pytest.raises(UsageError, match="'day' must hold a date or a time, got 'soon'"):
        column.read("soon", None)
    with pytest.raises(DataError, match="day and month cannot be told apart"):
        typed("f.csv", "day", ["1/2/2024", "3/4/2024"] * 9, range(18), keep=True)
