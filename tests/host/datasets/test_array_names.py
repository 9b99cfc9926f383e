"""Names of classes and groups of examples in an .npz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import datasets
from edge_experts.errors import DataError

X = np.random.default_rng(0).normal(size=(90, 4))
Y = np.arange(90) % 3
PERSONS = np.repeat(np.arange(15), 6)
GOOD = {"x_train": X, "y_train": Y, "x_test": X[:30], "y_test": Y[:30]}
NAMES = np.array(["wave", "punch", "größer"])


def load(folder: Path, **changes: Any) -> datasets.Dataset:
    np.savez(folder / "d.npz", **{**GOOD, **changes})
    return datasets.load(str(folder / "d.npz"))


@pytest.mark.parametrize("labels", [NAMES, np.char.encode(NAMES, "utf-8")])
def test_classes_have_names(tmp_path: Path, labels: np.ndarray) -> None:
    data = load(tmp_path, labels=labels)
    assert data.labels == ("wave", "punch", "größer")
    assert data.test.targets.tolist() == Y[:30].tolist()


def test_names_are_of_the_classes_in_their_order_though_numbers_begin_at_one(
    tmp_path: Path,
) -> None:
    data = load(tmp_path, labels=NAMES, y_train=Y + 1, y_test=Y[:30] + 1)
    assert data.labels == tuple(NAMES)
    assert data.test.targets.tolist() == Y[:30].tolist()


def test_outputs_have_names(tmp_path: Path) -> None:
    data = load(tmp_path, labels=np.array(["t", "h"]), y_train=X[:, :2], y_test=X[:30, :2])
    assert (data.task_type, data.labels) == ("regression", ("t", "h"))


def test_validation_takes_whole_groups(tmp_path: Path) -> None:
    data = load(tmp_path, groups_train=PERSONS, groups_test=PERSONS[:30] + 100)
    rows = {X[place].tobytes(): int(PERSONS[place]) for place in range(90)}
    train = {rows[row.tobytes()] for row in np.asarray(data.train.inputs)}
    validation = {rows[row.tobytes()] for row in np.asarray(data.validation.inputs)}
    assert not train & validation
    assert len(validation) >= 1
    again = load(tmp_path, groups_train=np.array([f"p{one}" for one in PERSONS]))
    assert len(again.validation) == len(data.validation)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": np.array([1, 2, 3])}, "labels must be one list of texts"),
        ({"labels": NAMES[:, None]}, "labels must be one list of texts"),
        ({"labels": NAMES[:2]}, "2 labels for 3 classes, numbered from 0 to 2"),
        ({"labels": NAMES.astype(object)}, "dtype=str"),
        ({"labels": np.array(["a", "a", "b"])}, "labels"),
        ({"labels": np.array([b"\xff", b"a", b"b"])}, "must be UTF-8"),
        ({"labels": np.array([*NAMES, "never"])}, "'never' has no example to train on"),
        ({"groups_train": PERSONS[:-1]}, "groups_train must name a group"),
        ({"groups_train": X[:, 0]}, "groups_train must name a group"),
        ({"groups_train": np.zeros(90, int)}, "one group only"),
        (
            {"groups_train": PERSONS, "groups_test": PERSONS[:30]},
            "in groups_train and in groups_test",
        ),
        ({"groups_train": PERSONS, "x_train": np.array(3.0)}, "groups_train must name a group"),
    ],
)
def test_odd_names_and_groups_are_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        load(tmp_path, **changes)
