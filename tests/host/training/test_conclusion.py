"""A training on little data, end to end: what it leaves, what it says, what it refuses."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import datasets
from edge_experts.datasets import Dataset, Split
from edge_experts.errors import UsageError

from ...conftest import Cli

QUICK: dict[str, Any] = {"experts": 3, "epochs": 2, "choice_epochs": 1}
RANDOM = np.random.default_rng(0)


def _dataset(labels: int = 3, x: np.ndarray | None = None) -> Dataset:
    x = RANDOM.normal(size=(200, 4)).astype(np.float32) if x is None else x
    y = np.arange(len(x)) % labels
    return datasets.from_arrays("tiny", x, y, x, y)


def _run(dataset: Dataset, folder: Path, *, pictures: bool = True, **settings: Any) -> Any:
    from edge_experts.training import config_for, train

    config = config_for(dataset.kind, **{**QUICK, **settings})
    return train(dataset, folder, config, pictures=pictures)


def _tags(folder: Path) -> set[str]:
    """The names of all summaries."""
    from tensorflow.compat.v1.train import summary_iterator

    return {
        value.tag
        for path in folder.rglob("events.out.tfevents*")
        for event in summary_iterator(str(path))
        for value in event.summary.value
    }


def test_a_training_leaves_metrics_pictures_and_summaries(
    keras: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from matplotlib.image import imread

    metrics = _run(_dataset(), tmp_path / "a.run").metrics
    assert json.loads((tmp_path / "a.run" / "run.json").read_text())["metrics"] == metrics
    assert metrics["picked_accuracy"] == pytest.approx(metrics["validation_accuracy"], abs=1e-4)
    assert metrics["oracle_gap"] == pytest.approx(
        metrics["oracle_accuracy"] - metrics["picked_accuracy"], abs=1e-4
    )
    shares = np.sum(metrics["owned_labels"], axis=1) / np.sum(metrics["owned_labels"])
    assert shares == pytest.approx(metrics["expert_usage"], abs=1e-3)
    names = {"experts", "confusion", "owned"}
    for name in names:
        path = tmp_path / "a.run" / "pictures" / f"{name}.png"
        assert imread(path).std() > 0.01
        assert 2_000 < path.stat().st_size < 1_000_000
    tags = _tags(tmp_path / "a.run" / "logs")
    assert {f"pictures/{name}" for name in names} <= tags
    assert {"oracle_gap", "router_entropy", "epoch_router_entropy"} <= tags
    said = capfd.readouterr().err
    assert "a perfect router would gain" in said
    assert "Traceback" not in said


def test_without_pictures_the_rest_is_there(keras: Any, tmp_path: Path) -> None:
    metrics = _run(_dataset(), tmp_path / "a.run", pictures=False, epochs=1).metrics
    assert "router_entropy" in metrics
    assert not (tmp_path / "a.run" / "pictures").exists()


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        ({"combine": "sum"}, {"best_expert_accuracy", "oracle_accuracy"}),
        ({"dense": "active", "dense_epochs": 1}, set()),
    ],
)
def test_where_no_router_picks_there_is_its_confusion_alone(
    keras: Any, tmp_path: Path, settings: dict[str, Any], keys: set[str]
) -> None:
    metrics = _run(_dataset(), tmp_path / "a.run", **settings).metrics
    assert {path.name for path in (tmp_path / "a.run" / "pictures").iterdir()} == {"confusion.png"}
    found = {"best_expert_accuracy", "oracle_accuracy", "oracle_gap", "router_entropy"}
    assert found & set(metrics) == keys


def test_a_collapsed_router_is_said_with_what_to_do(
    keras: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def always_1(shapes: Any, experts: int) -> Any:
        inputs = shapes.keras_inputs()
        far = keras.initializers.Constant(np.eye(experts)[1] * 9)
        layer = keras.layers.Dense(experts, None, True, "zeros", far, trainable=False)
        return keras.Model(inputs, layer(inputs["x"]))

    metrics = _run(_dataset(), tmp_path / "a.run", router_model=always_1).metrics
    assert metrics["collapsed"]
    assert metrics["dead_experts"] == [0, 2]
    assert metrics["expert_accuracy"][0] is None
    said = capfd.readouterr().err
    assert "Warning: the router collapsed: expert 1 answers 100% of the inputs. Try" in said


def test_a_training_that_diverged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"diverged.*mixture_learning_rate \(1e\+38\)"):
        _run(_dataset(), tmp_path / "a.run", epochs=1, mixture_learning_rate=1e38)
    assert not (tmp_path / "a.run").exists()


def test_more_experts_than_examples_are_refused_by_the_command(cli: Cli, tmp_path: Path) -> None:
    x, y = RANDOM.normal(size=(40, 3)), np.arange(40) % 2
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    arguments = ("--data", tmp_path / "d.npz", "--out", tmp_path / "x.run")
    done = cli("train", *arguments, "--experts", 100)
    assert done.returncode == 2
    assert "--experts 100: d has 36 examples to train on" in done.stderr
    assert "at most 3" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.run").exists()


def _said(dataset: Dataset, capsys: pytest.CaptureFixture[str], **settings: Any) -> list[str]:
    """What is said of a data set before it is trained on."""
    from edge_experts.features import encode_all
    from edge_experts.training import TrainConfig, checks
    from edge_experts.training.encoding import fit_features
    from edge_experts.training.tasks.classification import Classes

    features = fit_features(dataset)
    arrays = encode_all(features, dataset.train.inputs)
    task = Classes(dataset.labels)
    checks.warn(task, dataset, TrainConfig(**settings), features, arrays)
    return capsys.readouterr().err.splitlines()


def test_there_is_nothing_to_say_of_good_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert _said(_dataset(), capsys) == []
    images = RANDOM.integers(0, 9, (200, 9, 9)).astype(np.uint8)
    images[:, 0] = 0  # a dark edge is usual
    assert _said(_dataset(x=images), capsys) == []


def _rows(split: Split, rows: Any) -> Split:
    return Split(np.asarray(split.inputs)[rows], split.targets[rows])


def test_labels_with_few_examples_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    data = replace(_dataset(labels=5), labels=("a", "b", "c", "d", "e"))
    targets = data.train.targets
    kept = [*np.flatnonzero(targets < 3), *(int((targets == label).argmax()) for label in (3, 4))]
    (line,) = _said(replace(data, train=_rows(data.train, kept)), capsys)
    assert line.startswith("Warning: tiny: the labels 'd', 'e' have 1 example to train on;")


def test_a_label_that_is_missing_to_validate_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    data = _dataset()
    part = _rows(data.validation, np.flatnonzero(data.validation.targets != 1))
    (line,) = _said(replace(data, validation=part), capsys)
    assert line == (
        "Warning: tiny: the label '1' is not among the validation examples, by which training "
        "chooses."
    )


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.ones((200, 4)), "all examples to train on are equal"),
        (np.full((200, 4), np.nan), "100.00% of the numbers .* NaN or infinite"),
        (RANDOM.normal(size=(200, 4)) * [1, 0, 1, 1], "the feature 'column 1' is the same"),
        (RANDOM.normal(size=(200, 4)) * [1, 0, 0, 1], "'column 1', 'column 2' are the same"),
        (RANDOM.normal(size=(200, 12, 2)) * [1, 0], "the feature 'channel 1' is the same"),
        (RANDOM.normal(size=(200, 4)) * [1, 1, 1, np.inf], "25.00% .* they count as the mean"),
        (np.where(RANDOM.random((200, 4)) < 0.1, np.nan, 1.0 * np.arange(4)), "NaN"),
    ],
    ids=["ones", "nan", "column", "columns", "channel", "inf", "gaps"],
)
def test_features_that_say_nothing_are_named(
    capsys: pytest.CaptureFixture[str], x: np.ndarray, words: str
) -> None:
    import re

    assert re.search(words, "\n".join(_said(_dataset(x=x.astype(np.float32)), capsys)))


def test_columns_of_a_file_are_named_as_in_the_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from ..conftest import load_written

    lines = [f"{n},,7,{'rb'[n % 2]},{'xy'[n % 3 // 2]}" for n in range(90)]
    data = load_written(tmp_path, "\n".join(["a,empty,seven,colour,label", *lines]))
    assert _said(data, capsys) == [
        "Warning: d: the feature 'seven' is the same in all examples to train on, and of no use."
    ]


def test_few_examples_for_each_expert(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = _said(_dataset(), capsys, experts=64)
    assert "64 experts share 179 examples; --experts 17 would" in line
    assert _said(_dataset(), capsys, experts=64, combine="sum") == []


def test_without_matplotlib_a_training_is_not_lost(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "oracle_gap" in _run(_dataset(), tmp_path / "a.run", epochs=1).metrics
    assert (
        "No pictures: matplotlib is not installed (edge-experts[train]): pip install"
        in capfd.readouterr().err
    )
