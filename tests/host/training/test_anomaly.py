"""Anomaly detection from a file to a bundle: regimes, thresholds as deployed, refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import ExpertRuntime, datasets
from edge_experts.datasets import Dataset
from edge_experts.errors import DataError, UsageError
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.run_folder import read_examples, read_features, read_run
from edge_experts.runtime import golden
from edge_experts.runtime.tasks.anomaly import Deviation
from edge_experts.runtime.tasks.deviations import Deviations
from tests.machines import write_machine

QUICK: dict[str, Any] = {"experts": 3, "epochs": 8, "router_epochs": 5}


def machine(folder: Path, faults: int = 60) -> Dataset:
    path = write_machine(folder / "machine.csv", 900, faults)
    return datasets.load(str(path), 0, "anomaly")


def trained(dataset: Dataset, out: Path, **settings: Any) -> Any:
    from edge_experts.training import train
    from edge_experts.training.default_settings import config_of

    return train(dataset, out, config_of(dataset, **{**QUICK, **settings}), pictures=False)


def test_from_a_file_to_a_bundle(keras: Any, tmp_path: Path) -> None:
    from edge_experts.converters import convert

    data, out = machine(tmp_path), tmp_path / "m.run"
    run = trained(data, out, false_alarms=0.05)
    names = ("speed", "load", "heat", "current", "mode=full", "mode=half", "mode=idle")
    assert (run.task_type, run.labels) == ("anomaly", names)
    assert run.metrics["test_auroc"] > 0.95
    assert sum(one["examples"] for one in run.metrics["regimes"]) == len(data.validation)
    kept = read_examples(out, read_features(out, run))
    assert kept["test"].targets.shape == (len(data.test), len(names) + 1)
    assert kept["test"].targets[:, -1].sum() == 60
    assert not kept["train"].targets[:, -1].any()

    made = convert(out, tmp_path / "m.bundle", cache=False)
    manifest = read_manifest(tmp_path / "m.bundle")
    assert made.scores["auroc"] > 0.95
    assert manifest.provenance["test_scores"]["auroc"] == made.scores["auroc"]
    assert manifest.provenance["false_alarms"] == 0.05
    assert manifest.reference is not None
    card = (tmp_path / "m.bundle/MODEL_CARD.md").read_text()
    for line in ("| stated false-alarm rate | 0.05 |", "| AUROC as deployed |", "| detection rate"):
        assert line in card
    assert "AUROC as deployed" in made.words[0]
    with ExpertRuntime(tmp_path / "m.bundle", strict=True) as runtime:
        assert golden.check(runtime) == 32
        scores = [runtime.predict(row).score for row in data.validation.inputs]
        row = {"speed": 900, "load": 20, "heat": 60, "current": 1.8, "mode": "half"}
        answer = runtime.predict(row)
        assert isinstance(answer, Deviation)
        assert answer.anomalous
        assert answer.odd[0].feature == "heat"
        assert answer.odd[0].value == pytest.approx(60, rel=1e-4)
        assert answer.odd[0].expected == pytest.approx(44, abs=4)
    # Thresholds are of the deployed files, so the stated rate holds on the validation examples.
    assert np.mean(np.array(scores) > 1) <= 0.05
    assert manifest.task_spec is not None
    found = Deviations.read(manifest.labels, 3, manifest.task_spec.config)
    before = Deviations.read(run.labels, 3, run.task_spec.config)
    assert np.array_equal(found.errors, before.errors)
    assert not np.array_equal(found.thresholds, before.thresholds)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"combine": "sum"}, "--combine sum and --top-k"),
        ({"top_k": 2}, "--combine sum and --top-k"),
        ({"router": "clusters"}, "'clusters' groups labels"),
        ({"teacher_epochs": 1}, "trained without a teacher"),
        ({"trunk": True}, "--trunk: experts would see"),
        ({"false_alarms": 0.0}, "must be more than 0 and less than 1"),
        ({"false_alarms": 1.0}, "must be more than 0 and less than 1"),
    ],
)
def test_settings_without_a_meaning_are_refused(
    keras: Any, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        trained(machine(tmp_path), tmp_path / "m.run", **settings)


def test_other_data_and_commands_are_refused(keras: Any, tmp_path: Path) -> None:
    from edge_experts.training.tasks.anomaly import TRAINING

    data = machine(tmp_path)
    with pytest.raises(DataError, match="for tables and windows of sensors, not for image"):
        trained(replace(data, kind="image"), tmp_path / "m.run", model=None)
    with pytest.raises(DataError, match="adopt is for networks that classify"):
        TRAINING.adopted(data)
    with pytest.raises(UsageError, match="extend is not for anomaly detection"):
        TRAINING.extend(tmp_path / "m.run", data, tmp_path / "x.run")


def test_rows_too_few_for_the_rate_are_told(
    keras: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(machine(tmp_path, 0), tmp_path / "m.run", epochs=1, false_alarms=0.001)
    assert "too few for a false-alarm rate of 0.001, which needs 999" in capsys.readouterr().err
    assert run.metrics["test_auroc"] is None
    assert run.metrics["test_false_alarm_rate"] is not None


@pytest.mark.long
@pytest.mark.parametrize("settings", [{"dense": "active"}, {"dense": "all"}, {"router": "learned"}])
def test_other_models_detect_too(keras: Any, tmp_path: Path, settings: dict[str, Any]) -> None:
    assert trained(machine(tmp_path), tmp_path / "m.run", **settings).metrics["test_auroc"] > 0.8


@pytest.mark.long
@pytest.mark.parametrize("options", [{"quantization": "auto"}, {"compress": "pruning"}], ids=str)
def test_smaller_bundles_answer_as_published(
    keras: Any, tmp_path: Path, options: dict[str, Any]
) -> None:
    from edge_experts.converters import convert

    trained(machine(tmp_path), tmp_path / "m.run")
    made = convert(tmp_path / "m.run", tmp_path / "m.bundle", max_accuracy_drop=20, **options)
    assert made.scores["auroc"] > 0.8
    with ExpertRuntime(tmp_path / "m.bundle", strict=True) as runtime:
        assert golden.check(runtime) == 32


@pytest.mark.long
def test_windows_of_sensors(keras: Any, tmp_path: Path) -> None:
    """A sine is normal; its half frequency is not."""
    from edge_experts.converters import convert

    t = np.arange(4000)
    odd = (t > 3200) & (t < 3600)
    wave = np.where(odd, np.sin(t / 8), np.sin(t / 4))
    noise = np.random.default_rng(0).normal(0, 0.05, (len(t), 2))
    rows = np.column_stack([wave, np.cos(t / 4)]) + noise
    path = tmp_path / "wave.csv"
    words = np.where(odd, "odd", "ok")
    text = [f"{a:.4f},{b:.4f},{word}" for (a, b), word in zip(rows, words, strict=True)]
    path.write_text("a,b,label\n" + "\n".join(text) + "\n")
    data = datasets.load(str(path), 0, "anomaly", window=16)
    run = trained(data, tmp_path / "w.run", experts=2, epochs=20)
    assert run.labels[:3] == ("a [0]", "b [0]", "a [1]")
    assert run.metrics["test_auroc"] > 0.9
    convert(tmp_path / "w.run", tmp_path / "w.bundle")
    with ExpertRuntime(tmp_path / "w.bundle", strict=True) as runtime:
        assert golden.check(runtime) > 0
    assert json.loads((tmp_path / "w.bundle/manifest.json").read_text())["features"]["config"]


def test_a_run_is_read_again(keras: Any, tmp_path: Path) -> None:
    from edge_experts.training.tasks.anomaly import TRAINING

    trained(machine(tmp_path, 0), tmp_path / "m.run", epochs=1)
    run = read_run(tmp_path / "m.run")
    assert run.task_spec is not None
    assert run.task_spec.config["false_alarms"] == 0.01
    assert TRAINING.routed(run, "--compress").primary == "r2"
    assert "false alarms on" in TRAINING.summary(run)
