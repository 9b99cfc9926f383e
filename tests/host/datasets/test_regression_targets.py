"""Numbers to predict, from files and arrays as people have them: read right, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts import datasets
from edge_experts.datasets import Dataset, Split, diamonds
from edge_experts.datasets.targets import TARGETS, targets_of
from edge_experts.datasets.targets.regression_scores import scores
from edge_experts.errors import DataError, MissingPartError, UsageError

VALUES = np.linspace(-3.25, 9.5, 60)


def csv(folder: Path, rows: list[str], header: str = "size,target") -> str:
    path = folder / "d.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return str(path)


def column(folder: Path, cells: list[str], header: str = "size,target") -> str:
    separator = ";" if ";" in header else ","
    return csv(folder, [f"{n}{separator}{cell}" for n, cell in enumerate(cells)], header)


def npz(folder: Path, y: np.ndarray, **arrays: np.ndarray) -> str:
    x = np.random.default_rng(0).normal(size=(len(y), 3))
    given = {"x_train": x, "y_train": y, "x_test": x, "y_test": y, **arrays}
    np.savez(folder / "d.npz", **given)
    return str(folder / "d.npz")


def everything(data: Dataset) -> np.ndarray:
    parts = [split.targets for split in (data.train, data.validation, data.test)]
    return np.concatenate(parts)


def test_a_target_column_is_regression(tmp_path: Path) -> None:
    data = datasets.load(column(tmp_path, [f"{value:.3f}" for value in VALUES]))
    assert (data.task_type, data.task, data.kind) == ("regression", "table regression", "table")
    assert data.labels == ("target",)
    assert data.train.targets.dtype == np.float64
    assert sorted(everything(data)[:, 0]) == pytest.approx(sorted(VALUES), abs=1e-3)
    assert "target" not in data.train.inputs[0]
    for split in (data.train, data.validation, data.test):
        wanted = [VALUES[int(row["size"])] for row in split.inputs]
        assert split.targets[:, 0] == pytest.approx(wanted, abs=1e-3)


def test_splits_are_by_seed_and_have_all_quantiles(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(200)
    path = csv(tmp_path, [f"{n * 37 % 200},{n * n}" for n in order])
    first, again, other = (datasets.load(path, seed=seed) for seed in (0, 0, 1))
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    assert (len(first.test), len(first.validation)) == (40, 20)
    for split in (first.test, first.validation):
        fifths = np.sqrt(split.targets[:, 0]) // 40
        assert np.bincount(fifths.astype(int)).tolist() == [len(split) // 5] * 5


def test_several_targets_have_names(tmp_path: Path) -> None:
    rows = [f"{n},{n / 4},{-n}" for n in range(60)]
    data = datasets.load(csv(tmp_path, rows, "size,Target: cm ,target:kg"))
    assert data.labels == ("cm", "kg")
    assert data.train.targets.shape[1] == 2
    assert (data.train.targets[:, 0] * -4 == data.train.targets[:, 1]).all()


def test_a_label_column_of_numbers_by_task(tmp_path: Path) -> None:
    cells = [f"{value:.2f}".replace(".", ",") for value in VALUES]
    path = column(tmp_path, cells, "size;label")
    data = datasets.load(path, task_type="regression")
    assert data.labels == ("label",)
    assert sorted(everything(data)[:, 0]) == pytest.approx(sorted(VALUES), abs=1e-2)
    with pytest.raises(DataError, match=r"60 rows for 60 labels.*--task regression"):
        datasets.load(path)


def test_decimal_commas_of_targets(tmp_path: Path) -> None:
    cells = [f"{value:.2f}".replace(".", ",") for value in VALUES]
    data = datasets.load(column(tmp_path, cells, "size;target"))
    assert sorted(everything(data)[:, 0]) == pytest.approx(sorted(VALUES), abs=1e-2)


@pytest.mark.parametrize(
    ("cells", "least", "most"),
    [
        (["3.0", "4.0", "5.0"] * 20, 3, 5),
        (["-3", "-4", "-5.5"] * 20, -5.5, -3),
        (["7.25"] * 60, 7.25, 7.25),
        (["1e-12", "1e12", "5"] * 20, 1e-12, 1e12),
        ([" 1 ", "2"] * 30, 1, 2),
    ],
    ids=["whole", "negative", "constant", "huge range", "spaces"],
)
def test_odd_targets_that_are_right(
    tmp_path: Path, cells: list[str], least: float, most: float
) -> None:
    table = datasets.load(column(tmp_path, cells))
    numbers = np.array([float(cell) for cell in cells])
    arrays = datasets.load(npz(tmp_path, numbers), task_type="regression")
    for data in (table, arrays):
        assert data.task_type == "regression"
        assert everything(data).min() == least
        assert everything(data).max() == most


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["1"] * 59 + ["nan"], "line 61: column 'target' must be finite, got nan; leave out"),
        (["1"] * 59 + ["-inf"], "line 61: column 'target' must be finite"),
        (["cheap"] * 60, "line 2: .*must hold a number.*'cheap'.*column of classes 'label'"),
        (["1"] * 59 + ["dear"], "line 61: .*must hold a number to predict, got 'dear'"),
        (["1", ""] * 30, "line 3: column 'target' is empty; fill it, or leave the row out"),
        (["1.5"], "no examples for"),
        (["1_000"] * 60, "line 2: .*got '1_000'"),
        (["1e300", "2"] * 30, r"a number beyond 1e\+30; scale it"),
        (["1000000000.001", "1000000000.002"] * 30, "float32 cannot hold; subtract a constant"),
    ],
    ids=["nan", "inf", "text", "mixed", "missing", "one row", "python", "beyond", "fine"],
)
def test_odd_columns_that_are_refused(tmp_path: Path, cells: list[str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        datasets.load(column(tmp_path, cells))


def test_floats_of_an_npz_are_regression(tmp_path: Path) -> None:
    one = datasets.load(npz(tmp_path, VALUES))
    two = datasets.load(npz(tmp_path, np.stack([VALUES, -VALUES], axis=1)))
    assert (one.labels, two.labels) == (("target",), ("target 0", "target 1"))
    assert one.train.targets.shape == (54, 1)
    assert two.test.targets.shape == (60, 2)
    assert one.task == "table regression"


def test_whole_numbers_of_an_npz_are_classes_unless_told(tmp_path: Path) -> None:
    path = npz(tmp_path, np.arange(60.0) % 3)
    assert datasets.load(path).labels == ("0", "1", "2")
    data = datasets.load(path, task_type="regression")
    assert (data.labels, data.task_type) == (("target",), "regression")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"y_train": np.where(VALUES > 0, VALUES, np.nan)}, "y_train must be finite, got nan"),
        ({"y_test": np.where(VALUES > 0, VALUES, np.inf)}, "y_test must be finite, got inf"),
        ({"y_test": np.stack([VALUES] * 2, axis=1)}, "y_test 2; give both the same outputs"),
        ({"y_train": np.full(60, "dear")}, "must hold numbers"),
        ({"y_train": VALUES[:, None, None]}, r"\(examples, outputs\)"),
        ({"y_train": np.zeros((60, 0))}, r"\(examples, outputs\)"),
        ({"y_train": VALUES[:10]}, "y_train has 10 targets"),
        ({"y_train": VALUES[:1], "x_train": np.ones((1, 3))}, "no examples for validation"),
    ],
)
def test_odd_arrays_that_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        datasets.load(npz(tmp_path, VALUES, **changes), task_type="regression")


@pytest.mark.parametrize("target", ["target", "target:price"])
def test_a_table_of_two_tasks_is_refused_until_one_is_named(tmp_path: Path, target: str) -> None:
    rows = [f"{n},{'ab'[n % 2]},{n / 3}" for n in range(60)]
    path = csv(tmp_path, rows, f"size,label,{target}")
    with pytest.raises(DataError, match="--task classification or --task regression"):
        datasets.load(path)
    assert datasets.load(path, task_type="classification").labels == ("a", "b")
    data = datasets.load(path, task_type="regression")
    assert "label" in data.train.inputs[0]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("target:,size", "column 'target:' .* has no name behind the colon; name it"),
        ("target,target:target", "two columns .* predict 'target'; rename 'target'"),
        ("target:cm,target: cm", "two columns .* predict 'cm'; rename 'target:cm'"),
        ("target:cm,target:kg", "has targets only; add a column 'text'"),
    ],
    ids=["no name", "target twice", "spaces", "no inputs"],
)
def test_headers_of_targets_that_are_refused(tmp_path: Path, header: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        datasets.load(csv(tmp_path, ["1,2"] * 60, header))


def test_the_order_of_columns_changes_no_split(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    cells = [(str(n), *map(str, random.normal(size=2))) for n in range(100)]
    one = datasets.load(csv(tmp_path, [",".join(row) for row in cells], "n,target:a,target:b"))
    rows = [",".join(reversed(row)) for row in cells]
    other = datasets.load(csv(tmp_path, rows, "target:b,target:a,n"))
    for split in ("train", "validation", "test"):
        assert getattr(one, split).inputs == getattr(other, split).inputs


def test_scores_of_tiny_units_are_not_zero() -> None:
    wanted = VALUES[:, None] * 1e-12
    found = scores(wanted + 2.5e-13, wanted, ["y"])
    assert found["mae"] == found["rmse"] == pytest.approx(2.5e-13, rel=1e-5)


def test_a_constant_output_does_not_hide_the_others() -> None:
    wanted = np.stack([np.full(60, 5.0), VALUES], axis=1)
    found = scores(wanted + 0.01, wanted, ["constant", "varying"])
    assert found["outputs"]["constant"]["r2"] == 0
    assert found["r2"] == pytest.approx(0.5, abs=1e-3)


def test_a_table_without_targets_names_the_columns(tmp_path: Path) -> None:
    path = csv(tmp_path, ["1,2"] * 60, "size,price")
    with pytest.raises(DataError, match="one of numbers to predict 'target'"):
        datasets.load(path)
    with pytest.raises(DataError, match=r"no column 'target'.*'target:NAME'"):
        datasets.load(path, task_type="regression")


def test_a_task_that_no_package_has(tmp_path: Path) -> None:
    path = column(tmp_path, ["1.5"] * 60)
    with pytest.raises(MissingPartError, match=r"'guessing' in edge_experts.targets"):
        datasets.load(path, task_type="guessing")
    assert TARGETS.names[:3] == ("classification", "translation", "regression")


def test_a_named_set_keeps_its_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = datasets.load(column(tmp_path, [f"{value:.3f}" for value in VALUES]))
    monkeypatch.setitem(datasets.NAMED, "toy", lambda seed: data)
    assert datasets.load("toy", task_type="regression") is data
    with pytest.raises(UsageError, match="a set for regression, not for classification"):
        datasets.load("toy", task_type="classification")


def test_targets_of_a_data_set_are_checked() -> None:
    rows = [{"size": str(n)} for n in range(9)]
    split = Split(rows, np.zeros(9))
    with pytest.raises(DataError, match=r"must be float64 \(examples, 1\), got float64 \(9,\)"):
        Dataset("d", "table", "t", ("y",), split, split, split, "o", "regression")


@given(
    st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=30, max_size=80),
    st.integers(0, 9),
)
def test_every_row_is_in_one_split(values: list[float], seed: int) -> None:
    targets = np.array(values)[:, None]
    splits = targets_of("regression").assign(np.full(len(values), ""), targets, seed)
    counts = {name: int((splits == name).sum()) for name in ("train", "validation", "test")}
    assert sum(counts.values()) == len(values)
    assert counts["test"] == pytest.approx(0.2 * len(values), abs=2.5)
    assert counts["validation"] == pytest.approx(0.08 * len(values), abs=2.5)


@pytest.mark.skipif(
    not datasets.fetch.is_kept(diamonds._FILE, diamonds._SHA256), reason="not fetched here"
)
def test_diamonds_are_a_mixed_table() -> None:
    data = datasets.load("diamonds", 0)
    assert (data.kind, data.labels) == ("table", ("price",))
    assert len(everything(data)) == 53_940
    assert set(data.train.inputs[0]) == {
        "carat", "cut", "color", "clarity", "depth", "table", "x", "y", "z"
    }  # fmt: skip
    assert everything(data).min() == 326
    assert everything(data).max() == 18_823
