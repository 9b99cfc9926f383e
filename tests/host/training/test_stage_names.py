"""A stage has one name: in docs/training.md, progress, run.json and TensorBoard's folders."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.documents import pages

PAGE = pages.read("docs/training.md")
STAGES = re.findall(r"^\| ([a-z ]+) \| `(?:[a-z]+_)?epochs` \|", PAGE, re.MULTILINE)


def test_the_page_lists_the_stages() -> None:
    assert STAGES == ["teacher", "router", "one expert", "mixture", "choice", "own inputs"]


def test_the_training_calls_its_stages_so(keras: Any) -> None:
    from edge_experts.training.stages import Stages

    for name in STAGES[1:]:
        assert callable(getattr(Stages, f"_{name.replace(' ', '_')}"))


def test_a_run_keeps_them_by_these_names(sentiment_run: Path) -> None:
    metrics = json.loads((sentiment_run / "run.json").read_text())["metrics"]
    assert set(metrics["history"]) == set(metrics["seconds"])
    assert set(metrics["history"]) <= set(STAGES)
    # One network was trained too, to tell what experts gain.
    logs = sentiment_run / "logs" / "3-experts"
    folders = {path.name for path in logs.iterdir()}
    assert folders == {name.replace(" ", "-") for name in metrics["history"]}


def test_a_stage_that_stops_early_says_so(keras: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from edge_experts.training.report.reporting import Report

    report = Report("choice", 19, score="accuracy", patience=5)
    report.set_model(SimpleNamespace(stop_training=False))
    report.on_train_begin()
    for epoch in range(7):
        report.on_epoch_end(epoch, {"loss": 0.5, "val_cross_entropy": 0.4, "val_accuracy": 0.8})
    report.model.stop_training = True
    report.on_train_end()
    lines = capsys.readouterr().err.splitlines()
    first = "choice: 1/19 validation accuracy 0.8000, loss 0.5000, validation cross entropy 0.4000"
    assert lines[0] == first
    stopped = "stopped after 7 of 19 epochs: validation accuracy no better for 5"
    assert lines[-1] == f"choice: {stopped}"


def test_a_stage_that_ends_as_planned_says_nothing_more(
    keras: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from edge_experts.training.report.reporting import Report

    report = Report("choice", 1)
    report.set_model(SimpleNamespace(stop_training=False))
    report.on_train_begin()
    report.on_epoch_end(0, {"loss": 0.5})
    report.on_train_end()
    assert capsys.readouterr().err.splitlines() == ["choice: 1/1 loss 0.5000"]
