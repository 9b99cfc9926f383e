"""Recordings of sensors go to a benchmark in four commands; live rows are answered as they come."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_experts import datasets
from edge_experts.datasets import Columns
from edge_experts.runtime import ExpertRuntime
from tests.conftest import Cli
from tests.documents import small_data
from tests.tiny import tiny_bundle

LENGTH, STRIDE = 64, 32
WINDOWS = ("--window", LENGTH, "--stride", STRIDE, "--group-column", "person")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Path:
    """A folder with recordings, a run and a bundle."""
    folder = tmp_path_factory.mktemp("sensors")
    small_data.motion(folder / "motion.csv")
    (folder / "quick.toml").write_text(small_data.QUICK)
    for command in (
        ("train", "--data", "motion.csv", *WINDOWS, "--time-column", "t", "--experts", 2,
         "--config", "quick.toml", "--no-gain", "--out", "m.run"),
        ("convert", "m.run", "--out", "m.bundle", "--max-accuracy-drop", 100),
    ):  # fmt: skip
        done = cli(*command, cwd=folder)
        assert done.returncode == 0, done.stderr
        (folder / f"{command[0]}.log").write_text(done.stdout + done.stderr)
    return folder


def test_the_bundle_says_how_windows_are_cut(place: Path) -> None:
    manifest = json.loads((place / "m.bundle/manifest.json").read_text())
    assert manifest["features"]["config"]["stream"] == {
        "channels": ["ax", "ay", "az"], "stride": STRIDE, "time": "t",
        "interval": pytest.approx(0.02), "recording": "person",
    }  # fmt: skip
    assert "windows of 64 rows, of 6 recordings" in (place / "train.log").read_text()


def test_evaluation_leaves_out_what_was_trained(cli: Cli, place: Path) -> None:
    done = cli("evaluate", "m.bundle", "--data", "motion.csv", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    columns = Columns(group="person", time="t")
    data = datasets.load(str(place / "motion.csv"), columns=columns, window=LENGTH, stride=STRIDE)
    assert found["examples"] == len(data.test)
    assert found["left_out"] == len(data.train) + len(data.validation)
    done = cli("benchmark", "m.bundle", "--data", "motion.csv", "--rounds", 2, cwd=place)
    assert done.returncode == 0, done.stderr


def test_a_window_is_answered_when_its_last_row_comes(place: Path) -> None:
    """The pipe stays open: the answer must not wait for its end."""
    lines = (place / "motion.csv").read_text().splitlines()[1 : 3 * LENGTH + 1]
    rows = [line.split(",")[1:5] for line in lines]
    values = np.array([[float(cell) for cell in row[1:]] for row in rows], np.float32)
    command = [sys.executable, "-m", "edge_experts", "run", "m.bundle", "--stream", "--json"]
    with (
        ExpertRuntime(place / "m.bundle") as runtime,
        subprocess.Popen(
            command, cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        ) as child,
    ):
        assert child.stdin is not None
        assert child.stdout is not None
        sent = 0
        for start in range(0, len(rows) - LENGTH + 1, STRIDE):
            while sent < start + LENGTH:
                child.stdin.write(",".join(rows[sent]) + "\n")
                sent += 1
            child.stdin.flush()
            told = json.loads(child.stdout.readline())
            answer = runtime.predict(values[start : start + LENGTH])
            assert told["input"] == rows[start + LENGTH - 1][0]
            assert (told["label"], told["expert"]) == (answer.label, answer.expert)
            assert told["score"] == round(answer.score, 6)
        child.stdin.close()
        assert child.wait() == 0


def test_extension_takes_recordings_of_a_new_place(cli: Cli, place: Path) -> None:
    small_data.motion(place / "new.csv", scale=8.0)
    done = cli("extend", "m.run", "--data", "new.csv", "--epochs", 1, "--out", "n.run", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "windows of 64 rows" in done.stderr


def test_other_bundles_and_inputs_are_refused(cli: Cli, place: Path) -> None:
    done = cli("run", "m.bundle", "--stream", "--input", "motion.csv", cwd=place)
    assert done.returncode == 2
    assert "--stream is read from stdin" in done.stderr
    (place / "wrong.csv").write_text("a,b\n1,2\n")
    done = cli("run", "m.bundle", "--input", "wrong.csv", cwd=place)
    assert done.returncode == 2
    assert "no column 'ax', 'ay', 'az'" in done.stderr
    tiny_bundle(place / "tiny.bundle")
    done = cli("run", "tiny.bundle", "--stream", cwd=place, stdin="1,2\n")
    assert done.returncode == 2
    assert "train --window" in done.stderr
