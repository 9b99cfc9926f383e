"""Files whose examples have several labels, as people have them: read sensibly, or refused."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from edge_experts import datasets
from edge_experts.datasets import Dataset, held_out
from edge_experts.datasets.row_hashes import trained_rows
from edge_experts.errors import DataError, EdgeExpertsError, UsageError
from edge_experts.features import TableFeatures

SETS = (("red",), ("red", "round"), ("round",), ())


def written(folder: Path, cells: Sequence[str], *, split: Sequence[str] | None = None) -> Path:
    """A file of a text and a label column, and optionally one of splits."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["text", "label", *([] if split is None else ["split"])])
    for number, cell in enumerate(cells):
        writer.writerow([f"text {number}", cell, *([] if split is None else [split[number]])])
    path = folder / "d.csv"
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def read(path: Path, task: str | None = None) -> Dataset:
    return datasets.load(str(path), 0, task)


def sets_of(data: Dataset) -> dict[str, frozenset[str]]:
    """Labels of each text."""
    return {
        text: frozenset(data.labels[place] for place in np.flatnonzero(row))
        for split in (data.train, data.validation, data.test)
        for text, row in zip(split.inputs, split.targets, strict=True)
    }


@pytest.mark.parametrize(
    "cells",
    [
        [";".join(labels) for labels in SETS],
        [f" {' ; '.join(labels)} ; " for labels in SETS],
        [";".join([*labels, *labels]) for labels in SETS],
        [json.dumps(labels) for labels in SETS],
    ],
    ids=["plain", "spaces", "twice", "json"],
)
def test_all_of_these_are_the_same_sets(tmp_path: Path, cells: list[str]) -> None:
    data = read(written(tmp_path, cells * 20), "multi-label")
    assert data.task_type == "multi-label"
    assert data.task == "multi-label text classification"
    assert data.labels == ("red", "round")
    assert sets_of(data) == {f"text {n}": frozenset(SETS[n % 4]) for n in range(80)}
    assert not data.notes


def test_the_task_is_inferred_from_cells_that_join_labels_and_said(tmp_path: Path) -> None:
    path = written(tmp_path, ["red", "round", "red;round"] * 20)
    data = read(path)
    assert data.task_type == "multi-label"
    assert "read as multi-label, by cells of the column 'label'" in data.notes[0]
    assert "--task classification" in data.notes[0]
    other = read(path, "classification")
    assert other.labels == ("red", "red;round", "round")


def test_a_label_with_a_semicolon_by_nature_is_one_label(tmp_path: Path) -> None:
    data = read(written(tmp_path, ["red", "round", "AT&amp;T"] * 20))
    assert data.task_type == "classification"
    assert data.labels == ("AT&amp;T", "red", "round")


def test_a_label_column_of_another_name(tmp_path: Path) -> None:
    path = written(tmp_path, ["red", "red;round", "round"] * 20)
    path.write_text(path.read_text().replace("text,label", "text,tags"))
    data = datasets.load(str(path), 0, None, datasets.Columns(label="tags"))
    assert data.labels == ("red", "round")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["red;round"] * 60, "all examples to train on have the same labels"),
        ([""] * 60, "no example has a label"),
        (["red;a\nb", "round"] * 30, r"column 'label': the label 'a\\nb' has a"),
        (['["red", 3]', "red"] * 30, "line 2: column 'label' begins with '\\['"),
        (['["red"', "red"] * 30, "no JSON list of texts"),
        (['["a;b"]', "red"] * 30, "the label 'a;b' has a ';'"),
        (["red;NA", "round"] * 30, "line 2: the label 'NA' means a missing value"),
        (["Red;round", "red"] * 30, "in capitals only"),
        (["red,round", "red", "round"] * 20, "line 2: the label 'red,round' names several"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    tmp_path: Path, cells: list[str], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        read(written(tmp_path, cells), "multi-label")


def test_a_label_that_training_lacks_is_refused_by_name(tmp_path: Path) -> None:
    cells = ["red", "round;red"] * 40 + ["red;new"]
    split = (["train"] * 3 + ["test"]) * 20 + ["test"]
    with pytest.raises(DataError, match="the label 'new' has no example to train on; add"):
        read(written(tmp_path, cells, split=split), "multi-label")


def test_a_label_of_one_example_is_trained_on(tmp_path: Path) -> None:
    for number in range(5):
        cells = ["red", "round;red", ""] * 20
        cells[number] = "lonely;red"
        data = read(written(tmp_path, cells), "multi-label")
        assert data.train.targets[:, data.labels.index("lonely")].sum() == 1


def test_a_thousand_labels(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    names = [f"label {place}" for place in range(1000)]
    cells = [";".join(random.choice(names, 4, replace=False)) for _ in range(2000)]
    data = read(written(tmp_path, cells), "multi-label")
    assert len(data.labels) == 1000
    assert data.train.targets.any(axis=0).all()
    assert {len(labels) for labels in sets_of(data).values()} == {4}
    assert 250 < len(data.test) < 500


_CELLS = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.lists(st.sampled_from(["a", "b", 'quo"ted', " c ", "", "é", "\u202e"]), max_size=5).map(
            ";".join
        ),
        st.lists(st.text(max_size=3), max_size=3).map(json.dumps),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(_CELLS, st.sampled_from([None, "multi-label"]))
def test_any_cells_are_read_or_refused(cells: list[str], task: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            data = read(written(Path(folder), cells * 12), task)
        except EdgeExpertsError as refusal:
            told = str(refusal)
            data = None
    if data is None:
        assert "d.csv" in told or told.startswith("d:")
        return
    assert data.train.targets.any() or data.task_type == "classification"
    for label in data.labels:
        assert label == label.strip()


def arrays(path: Path, y: np.ndarray, **more: np.ndarray) -> Path:
    x = np.random.default_rng(0).normal(size=(len(y), 3))
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y, **more)
    return path


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_a_matrix_of_0_and_1_with_names(tmp_path: Path, dtype: type) -> None:
    y: np.ndarray = np.array([[1, 0], [1, 1], [0, 0]] * 20).astype(dtype)
    data = read(arrays(tmp_path / "d.npz", y, labels=np.array(["red", "round"])))
    assert (data.task_type, data.labels) == ("multi-label", ("red", "round"))
    assert data.test.targets.tolist() == y.astype(bool).tolist()
    assert read(arrays(tmp_path / "d.npz", y)).labels == ("label 0", "label 1")


@pytest.mark.parametrize(
    ("y", "more", "words"),
    [
        (np.array([[1, 0], [0, 2]] * 30), {}, "must hold 0 and 1 only, got 2"),
        (np.array([0, 1] * 30), {}, r"\(examples, labels\), got int64 \(60,\)"),
        (np.array([[1, 0], [0, 1]] * 30), {"labels": np.array(["a"])}, "1 names for 2 labels"),
        (np.array([[1, 0], [0, 1]] * 30), {"labels": np.array(["a", "b;c"])}, "has a ';'"),
        (np.array([[1, 0], [0, np.nan]] * 30), {}, "must hold 0 and 1 only, got nan"),
    ],
)
def test_odd_matrices_are_refused_by_name(
    tmp_path: Path, y: np.ndarray, more: dict[str, np.ndarray], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        read(arrays(tmp_path / "d.npz", y, **more), "multi-label")


def test_rows_with_one_1_each_may_be_classes_and_the_remedy_is_named(tmp_path: Path) -> None:
    path = arrays(tmp_path / "d.npz", np.eye(3, dtype=int)[np.arange(60) % 3])
    with pytest.raises(DataError, match="--task multi-label"):
        read(path)
    assert read(path, "multi-label").task_type == "multi-label"


def test_photos_in_folders_have_one_label_each(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    for label in ("a", "b"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(10):
            pillow.new("RGB", (16, 16)).save(tmp_path / "photos" / label / f"{number}.png")
    with pytest.raises(UsageError, match="photos are for --task classification, not multi-label"):
        read(tmp_path / "photos", "multi-label")


def test_trained_rows_are_recognised_in_files_with_fewer_labels(tmp_path: Path) -> None:
    """The labels of a file, and so the columns of its matrix, may be a part of the bundle's."""
    path = tmp_path / "d.csv"
    rows = [f"{n},{n * 7 % 90},{';'.join(SETS[n % 4])}" for n in range(90)]
    path.write_text("x,y,label\n" + "\n".join(rows) + "\n")
    data = read(path, "multi-label")
    assert isinstance(data.train.inputs, list)
    features = TableFeatures.fit(data.train.inputs, data.types)
    known = trained_rows(features, data)
    red = [row for row in rows if row.endswith((",red", ","))]
    path.write_text("x,y,label\n" + "\n".join(red) + "\n")
    some = held_out.read(str(path), 0, "multi-label", data.columns, features)
    assert some.dataset.labels == ("red",)
    selection = held_out.select(some, features, known)
    assert selection.left_out > len(red) / 2
    assert selection.left_out + len(selection.split) == len(red)
