"""Tables as people have them: columns named, quotes, groups, times, labels; read or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import datasets
from edge_experts.datasets import Columns, Dataset, held_out, splitting
from edge_experts.errors import DataError, UsageError
from edge_experts.features import TableFeatures

DATA = Path(__file__).parents[2] / "data/tables"


def _load(folder: Path, content: str, columns: Columns | None = None, **other: Any) -> Dataset:
    path = folder / other.pop("name", "d.csv")
    path.write_text(content, encoding="utf-8", newline="")
    return datasets.load(str(path), columns=columns, **other)


def _rows(header: str, row: Callable[[int], str], count: int = 60) -> str:
    return "\n".join([header, *map(row, range(count))]) + "\n"


def _all(data: Dataset) -> list[Any]:
    return [example for part in (data.train, data.validation, data.test) for example in part.inputs]


def _fitted(data: Dataset) -> TableFeatures:
    return TableFeatures.fit(list(data.train.inputs), data.types)


def _plain(n: int) -> str:
    return f"{n * 7 % 23}.{n % 10},{'ab'[n % 2]}"


def test_a_quote_that_opens_no_cell_is_a_character() -> None:
    data = datasets.load(str(DATA / "quote_that_opens_no_cell.tsv"))
    assert len(_all(data)) == 60
    assert '"nothing to add' in _all(data)


def test_one_gap_leaves_a_column_of_numbers() -> None:
    data = datasets.load(str(DATA / "missing_value_in_number_column.csv"))
    assert data.notes == ("column 'temperature': 1 of 60 cells read as gaps: line 7 'NA'",)
    assert [column["type"] for column in _fitted(data).inputs] == ["number"]


def test_words_booleans_and_numbers_of_json_are_the_words_of_the_file() -> None:
    features = _fitted(datasets.load(str(DATA / "true_and_false_words.csv")))
    for same in (("true", True, 1, 1.0, "Yes", np.True_), ("false", False, 0, 0.0, "no", "F")):
        assert len({features.encode({"on": value})["x"].tobytes() for value in same}) == 1
    assert features.encode({"on": True})["x"].tolist() == [[0, 1]]
    for odd in ("maybe", 2, [True], {"a": 1}):
        with pytest.raises(UsageError, match="column 'on' must hold"):
            features.encode({"on": odd})


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        ('x,label\n"1","a"\n', {"x": "1", "label": "a"}),
        ('x, label\n1, "a, b"\n', {"x": "1", "label": "a, b"}),
        ('x,label\n"say ""hi""",a\n', {"x": 'say "hi"', "label": "a"}),
        ('x,label\n"two\nlines",a\n', {"x": "two\nlines", "label": "a"}),
        ('x,label\n"two\r\nlines, ""b""","c\nd"\n', {"x": 'two\nlines, "b"', "label": "c\nd"}),
        ('x,label\n"good" film,a\n', {"x": '"good" film', "label": "a"}),
        ("x,label\n6'2\",a\n", {"x": "6'2\"", "label": "a"}),
        ("sep=;\nx;label\n1,5;a\n", {"x": "1,5", "label": "a"}),
        ("x|label\n1|a\n", {"x": "1", "label": "a"}),
        ("x,label,,\n1,a,,\n", {"x": "1", "label": "a"}),
        ("x,label\n1,a,,\n", {"x": "1", "label": "a"}),
        ("x,label\r1,a\r", {"x": "1", "label": "a"}),
        ('x,label\n"",a\n', {"x": "", "label": "a"}),
    ],
)
def test_rows_are_read_as_spreadsheets_write_them(
    tmp_path: Path, content: str, cells: dict[str, str]
) -> None:
    path = tmp_path / "d.csv"
    path.write_text(content, newline="")
    assert [row for _, row in datasets.rows.read(path)] == [cells]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            'text,label\n"begin,a\n' + "one,b\n" * 40 + 'end",a\n',
            "line 2: a quote opens a cell that swallows 40 lines",
        ),
        ('x,label\n"a\nb "c" d",e\n', "line 3: a quote within a cell that a quote in line 2 opens"),
        ("x,label,\n1,a,2\n", "column 3 of its header has no name, and line 2 has '2'"),
        (_rows("region,x,label", lambda n: f"r{n % 3},{_plain(n)}") + "Total,99,a\n", "sum up"),
        (_rows("x,label", _plain) + "n.d.,a\n", "line 62 'n.d.'"),
        (_rows("id,label", lambda n: f"u{n},{'ab'[n % 2]}"), "no column is left to learn from"),
    ],
)
def test_what_is_no_table_is_refused_by_line(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        _load(tmp_path, content)


def test_columns_are_chosen_by_name(tmp_path: Path) -> None:
    content = _rows("x,kind,note,label", lambda n: f"{n * 7 % 23},{'ab'[n % 2]},n{n % 9},l{n % 5}")
    data = _load(tmp_path, content, Columns(label="kind", drop=("note",)))
    assert data.labels == ("a", "b")
    assert set(data.train.inputs[0]) == {"x", "label"}
    values = _load(tmp_path, content, Columns(label="x"), task_type="regression")
    assert values.labels == ("x",)
    with pytest.raises(DataError, match="no column 'kinds', which --label-column names; found: x"):
        _load(tmp_path, content, Columns(label="kinds"))
    with pytest.raises(UsageError, match="--label-column kind: is --drop too"):
        Columns(label="kind", drop=("kind",))
    with pytest.raises(UsageError, match="give one of them"):
        _load(tmp_path, content, Columns(group="kind", time="x"))


def test_columns_that_are_not_used_are_named(tmp_path: Path) -> None:
    row = "2024-01-{:02},u{},{},{}".format
    content = _rows("day,id,x,label", lambda n: row(n % 28 + 1, n, n * 7 % 23, "ab"[n % 2]))
    data = _load(tmp_path, content)
    assert [column.name for column in data.types or ()] == ["x"]
    assert data.columns.to_json() == {"unused": ["day", "id"]}
    said = "\n".join(data.notes)
    assert "column 'day' is not used: dates" in said
    assert "column 'id' is not used: identifiers" in said
    assert "--time-column day" in said
    texts = _load(tmp_path, _rows("text,stars,label", lambda n: f"t {n},{n % 5},{'ab'[n % 2]}"))
    assert texts.notes == ("columns not used beside 'text': stars",)


def test_no_group_is_in_two_splits(tmp_path: Path) -> None:
    content = _rows(
        "person,x,label", lambda n: f"p{n // 20},{n * 7 % 23},{'ab'[n % 3 % 2]}", count=400
    )
    free = _load(tmp_path, content)
    assert any("--group-column person" in note for note in free.notes)
    data = _load(tmp_path, content, Columns(group="person"))
    assert not [note for note in data.notes if "Warning" in note]
    assert [set(row) for row in data.train.inputs[:1]] == [{"x"}]
    again = _load(tmp_path, content, Columns(group="person"))
    assert again.fingerprint() == data.fingerprint()


@pytest.mark.parametrize("groups", [3, 7, 40, 200])
def test_groups_are_split_whole_and_by_their_share(groups: int) -> None:
    random = np.random.default_rng(groups)
    which = random.integers(0, groups, 1000)
    targets = (which + random.integers(0, 2, 1000)) % 3
    names = [f"g{group}" for group in which]
    splits = splitting.assign(np.full(1000, ""), targets, 0, groups=names)
    for group in set(names):
        assert len({split for split, name in zip(splits, names, strict=True) if name == group}) == 1
    assert set(splits) == {"train", "validation", "test"}
    if groups >= 7:
        assert set(targets[splits == "train"]) == {0, 1, 2}
    if groups >= 40:
        assert (splits == "test").mean() == pytest.approx(0.2, abs=0.05)


def test_the_test_is_later_than_the_training(tmp_path: Path) -> None:
    content = _rows(
        "when,x,label",
        lambda n: f"{n * 7 % 12 + 1}.{n % 12 + 1}.2024,{n * 7 % 23},{'ab'[n % 2]}",
        count=200,
    )
    data = _load(tmp_path, content, Columns(time="when"))
    assert len(data.test) == pytest.approx(40, abs=8)
    assert set(data.train.inputs[0]) == {"x"}
    with pytest.raises(DataError, match="'when': day and month cannot be told apart"):
        _load(tmp_path, content.replace(".2024", "/2024").replace(".", "/"), Columns(time="when"))


def test_neighbours_that_are_alike_are_a_recording(tmp_path: Path) -> None:
    walk = np.random.default_rng(0).normal(size=(300, 2)).cumsum(axis=0)
    content = _rows(
        "x,y,label", lambda n: f"{walk[n, 0]:.4f},{walk[n, 1]:.4f},{'ab'[n // 40 % 2]}", count=300
    )
    assert any("much alike" in note for note in _load(tmp_path, content).notes)
    shuffled = np.random.default_rng(1).permutation(300)
    head, *lines = content.splitlines()
    mixed = "\n".join([head, *(lines[place] for place in shuffled)]) + "\n"
    assert _load(tmp_path, mixed).notes == ()


def test_spellings_of_one_label_are_one(tmp_path: Path) -> None:
    content = _rows("x,label", lambda n: f"{n * 7 % 23},{['1', '1.0', '2'][n % 3]}")
    data = _load(tmp_path, content)
    assert data.labels == ("1", "2")
    assert data.notes == ("labels that are the same, read as '1': '1' (20 rows), '1.0' (20 rows)",)
    forms = ["caf\u00e9", "cafe\u0301", "tea"]
    assert _load(tmp_path, _rows("x,label", lambda n: f"{n * 7 % 23},{forms[n % 3]}")).labels == (
        "caf\u00e9",
        "tea",
    )
    real = ["none", "mild"]
    assert len(_load(tmp_path, _rows("x,label", lambda n: f"{n % 23},{real[n % 2]}")).labels) == 2


def test_targets_are_numbers_as_people_write_them(tmp_path: Path) -> None:
    data = _load(
        tmp_path,
        _rows("x;target", lambda n: f"{n * 7 % 23};1.{n * 13 % 997:03},5 EUR", count=100),
    )
    assert sorted(data.train.targets[:, 0])[0] >= 1000.5


def test_a_file_for_a_model_is_read_as_the_model_was_trained(tmp_path: Path) -> None:
    trained = _load(
        tmp_path,
        _rows("price;day;label", lambda n: f"1.{n * 37 % 997:03},5;2024-01-01;{'ab'[n % 2]}"),
    )
    features = _fitted(trained)
    held_out = "price;more;label\n1.234;x;a\n2.345;y;b\n" * 1 + "999,5;z;a\n" * 30
    data = _load(tmp_path, held_out, trained.columns, features=features, task_type="classification")
    prices = {row["price"]: features.encode(row)["x"][0, 0] for row in _all(data)}
    assert prices["1.234"] == features.encode({"price": 1234})["x"][0, 0]
    assert data.notes == ("columns that the model does not read: more",)
    with pytest.raises(DataError, match="line 3: column 'price' must hold a number, got 'x'"):
        _load(
            tmp_path,
            "price;label\n1;a\nx;b\n",
            features=features,
            task_type="classification",
        )
    with pytest.raises(DataError, match="no column 'price', which the model reads"):
        _load(tmp_path, "cost,label\n1,a\n", features=features, task_type="classification")


def test_what_a_training_recorded_may_be_absent_later(tmp_path: Path) -> None:
    recorded = Columns.from_json({"label": "kind", "group": "person", "unused": ["day"]})
    features = _fitted(_load(tmp_path, _rows("x,label", _plain)))
    data = _load(
        tmp_path,
        "kind,x,day\n" + "a,1,2024-01-01\nb,2,2024-01-01\n" * 30,
        recorded,
        features=features,
        task_type="classification",
    )
    assert (data.labels, data.notes) == (("a", "b"), ())
    assert Columns.from_json(recorded.to_json()) == recorded
    assert Columns.from_json({"odd": 1}) == Columns.from_json(None) == Columns()


def test_one_person_or_one_day_can_be_held_out_but_not_split(tmp_path: Path) -> None:
    content = _rows("person,day,x,label", lambda n: f"p,1/2/2024,{_plain(n)}")
    for columns, words in (
        (Columns(group="person"), r"'person' has 1 different value\(s\); at least 3"),
        (Columns(time="day"), r"'day' has 1 different value\(s\)"),
    ):
        with pytest.raises(DataError, match=words):
            _load(tmp_path, content, columns)
        features = _fitted(_load(tmp_path, content, Columns(drop=("person", "day"))))
        found = held_out.read(
            str(tmp_path / "d.csv"),
            0,
            "classification",
            Columns.from_json(columns.to_json()),
            features,
        )
        assert len(held_out.whole(found.dataset)) == 60
