"""Data of anomaly detection: labels, held-out rows, splits, scores and thresholds."""

from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from edge_experts import datasets
from edge_experts.datasets import Columns
from edge_experts.datasets.targets import targets_of
from edge_experts.datasets.targets.anomaly_scores import (
    auroc,
    detection_scores,
    enough_for,
    thresholds_of,
)
from edge_experts.errors import DataError, UsageError


def table(path: Path, labels: list[str] | None, more: str = "") -> Path:
    """Rows of two numbers, with a label each."""
    numbers = np.random.default_rng(0).normal(size=(len(labels or range(200)), 2))
    head = f"a,b{'' if labels is None else ',label'}{',' + more if more else ''}\n"
    rows = [
        ",".join(
            [
                *(f"{number:.4f}" for number in row),
                *([] if labels is None else [labels[place]]),
                *([str(place // 10)] if more else []),
            ]
        )
        for place, row in enumerate(numbers)
    ]
    path.write_text(head + "\n".join(rows) + "\n")
    return path


def test_a_file_without_labels_is_normal(tmp_path: Path) -> None:
    data = datasets.load(str(table(tmp_path / "m.csv", None)), 0, "anomaly")
    assert data.task == "table anomaly detection"
    assert data.labels == ("normal", "anomalous")
    assert not any(split.targets.any() for split in (data.train, data.validation, data.test))
    assert list(data.train.inputs[0]) == ["a", "b"]


def test_the_user_names_the_labels_of_normal_rows(tmp_path: Path) -> None:
    labels = ["in_ordnung"] * 90 + ["gepru\u0308ft"] * 90 + ["ok"] * 20
    chosen = Columns(normal=("in_ordnung", " gepr\u00fcft"))
    data = datasets.load(str(table(tmp_path / "m.csv", labels)), 0, "anomaly", chosen)
    assert not data.train.targets.any()
    assert data.test.targets.sum() == 20, "of the words that mean normal by default none does now"
    assert any(
        "20 of 200 rows are anomalous, by their labels ('ok' 20)" in one for one in data.notes
    )


@pytest.mark.parametrize("labels", [["fault"] * 200, ["ok"] * 180 + ["fault"] * 20])
def test_named_labels_that_no_row_has_are_refused(tmp_path: Path, labels: list[str]) -> None:
    path = str(table(tmp_path / "m.csv", labels))
    with pytest.raises(
        DataError, match=r"means a normal row \(in_ordnug\); name those that do: --n"
    ):
        datasets.load(path, 0, "anomaly", Columns(normal=("in_ordnug",)))


def test_named_labels_need_a_column_unless_a_run_recorded_them(tmp_path: Path) -> None:
    path = str(table(tmp_path / "m.csv", None))
    with pytest.raises(DataError, match="has no column 'label', whose values --normal-label names"):
        datasets.load(path, 0, "anomaly", Columns(normal=("fine",)))
    recorded = Columns.from_json({"normal": ["fine"]})
    assert not datasets.load(path, 0, "anomaly", recorded).test.targets.any()
    with pytest.raises(
        UsageError, match="--normal-label is for --task anomaly, not for regression"
    ):
        datasets.load(path, 0, "regression", Columns(normal=("fine",)))


@pytest.mark.parametrize("normal", ["normal", "OK", "0", "Healthy"])
def test_anomalous_rows_are_test_rows(tmp_path: Path, normal: str) -> None:
    labels = [normal] * 180 + ["1" if normal == "0" else "fault"] * 20
    data = datasets.load(str(table(tmp_path / "m.csv", labels)), 0, "anomaly")
    assert not data.train.targets.any()
    assert not data.validation.targets.any()
    assert data.test.targets.sum() == 20
    assert len(data.train) + len(data.validation) + len(data.test) == 200
    assert any("20 of 200 rows are anomalous" in note for note in data.notes)


@pytest.mark.parametrize("columns", [Columns(group="t"), Columns(time="t")], ids=str)
def test_they_are_whatever_splits_the_rows(tmp_path: Path, columns: Columns) -> None:
    labels = (["normal"] * 9 + ["fault"]) * 20
    path = table(tmp_path / "m.csv", labels, "t")
    data = datasets.load(str(path), 0, "anomaly", columns)
    assert data.test.targets.sum() == 20
    assert not data.train.targets.any()
    assert not data.validation.targets.any()


def test_a_stated_split_does_not_train_on_them(tmp_path: Path) -> None:
    rows = [f"{n},{n % 7},{'fault' if n % 10 == 0 else 'ok'},train\n" for n in range(100)]
    path = tmp_path / "m.csv"
    path.write_text("a,b,label,split\n" + "".join(rows))
    data = datasets.load(str(path), 0, "anomaly")
    assert data.test.targets.sum() == 10
    assert len(data.train) > 60


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,label\n" + "1,blue\n2,red\n" * 40, "none of the labels 'blue', 'red' means a normal"),
        ("a,label\n" + "1,ok\n2,\n" * 40, "line 3: the label is empty"),
        ("a,text\n" + "1,hello\n2,you\n" * 40, "has a column 'text'"),
        ("a,b\n" + "1,2\n3,4\n" * 5, "at least 30 normal ones"),
    ],
)
def test_unusable_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        datasets.load(str(path), 0, "anomaly")


def test_arrays_have_0_and_1() -> None:
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    none, odd = np.zeros(60, int), np.arange(60) % 2
    data = datasets.from_arrays("x", x, none, x, odd, task_type="anomaly")
    assert data.test.targets.sum() == 30
    with pytest.raises(DataError, match="y_train has 30 anomalous examples"):
        datasets.from_arrays("x", x, odd, x, odd, task_type="anomaly")
    with pytest.raises(DataError, match="must be 0"):
        datasets.from_arrays("x", x, none, x, odd + 1, task_type="anomaly")


def test_targets_of_a_run_folder_begin_with_the_example() -> None:
    task, rows = targets_of("anomaly"), np.zeros((3, 3))
    task.check("x", ("a", "b"), {"train": rows, "validation": rows, "test": rows + 1})
    with pytest.raises(DataError, match="validation has anomalous"):
        task.check("x", ("a", "b"), {"train": rows, "validation": rows + 1, "test": rows})
    with pytest.raises(DataError, match="must be int64"):
        task.check("x", ("a", "b"), {"train": np.zeros((3, 2))})


def test_auroc_by_hand() -> None:
    anomalous = np.array([False, False, True, True])
    assert auroc(np.array([1.0, 2, 3, 4]), anomalous) == 1
    assert auroc(np.array([4.0, 3, 2, 1]), anomalous) == 0
    assert auroc(np.array([1.0, 3, 2, 4]), anomalous) == 0.75
    assert auroc(np.array([1.0, 1, 1, 1]), anomalous) == 0.5
    assert auroc(np.array([1.0]), np.array([True])) is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_auroc_is_the_share_of_pairs(rows: list[tuple[int, bool]]) -> None:
    scores, anomalous = (np.array(part) for part in zip(*rows, strict=True))
    pairs = [
        (one > other) + (one == other) / 2
        for one in scores[anomalous]
        for other in scores[~anomalous]
    ]
    found = auroc(scores.astype(float), anomalous)
    assert found == (pytest.approx(np.mean(pairs)) if pairs else None)


def test_rates() -> None:
    found = detection_scores(np.array([0.5, 1.0, 1.1, 3]), np.array([False, False, False, True]))
    assert found == {"auroc": 1.0, "detection_rate": 1.0, "false_alarm_rate": 0.333333}
    assert detection_scores(np.array([2.0]), np.array([False])) == {
        "auroc": None,
        "detection_rate": None,
        "false_alarm_rate": 1.0,
    }


def test_thresholds_keep_the_stated_rate_on_new_examples() -> None:
    random, share, rates = np.random.default_rng(0), 0.05, []
    for _ in range(200):
        errors = random.exponential(size=99)
        (threshold,) = thresholds_of(errors, np.zeros(99, int), 1, share)
        rates.append(np.exp(-threshold))  # the true probability of a larger error
    assert np.mean(rates) == pytest.approx(share, abs=0.005)


def test_a_regime_with_few_examples_has_the_threshold_of_all() -> None:
    errors = np.arange(1.0, 111.0)
    regimes = (np.arange(110) >= 100).astype(int)
    found = thresholds_of(errors, regimes, 3, 0.02)
    assert found[0] == 99  # rank 99 of its 100 examples
    assert found[1] == found[2] == 109
    assert thresholds_of(errors[:5], regimes[:5], 1, 0.01) == 5  # the largest of too few
    assert enough_for(0.01) == 99
    assert enough_for(0.5) == 1


def test_windows_without_labels_are_normal(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(600, 2))
    path = tmp_path / "wave.csv"
    path.write_text("a,b\n" + "".join(f"{a:.3f},{b:.3f}\n" for a, b in rows))
    data = datasets.load(str(path), 0, "anomaly", window=10)
    assert (data.kind, data.task) == ("window", "window anomaly detection")
    assert np.shape(data.train.inputs)[1:] == (10, 2)
    assert not data.test.targets.any()
