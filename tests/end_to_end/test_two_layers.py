"""A task that no line of the package knows: trained, converted, run, measured and served.

Its package, tests/plugin/two_layers, is found by its entry points, in child processes too.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Cli, run_cli
from tests.layered import path_of

pytestmark = pytest.mark.usefixtures("two_layers")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Points and where two layers of turns bring them: a piecewise linear function."""
    path = tmp_path_factory.mktemp("table") / "turns.csv"
    points = np.random.default_rng(0).normal(size=(1200, 2)).round(4)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["east", "north", "target:right", "target:up"])
        for point in points:
            writer.writerow([*point, *path_of(point, steps=2)[0].round(5)])
    return path


@pytest.fixture(scope="module")
def bundle(
    two_layers: None, table: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The run folder of a training, and its bundles in float32 and int8."""
    folder = tmp_path_factory.mktemp("made")
    made = {name: folder / name for name in ("run", "float32", "int8")}
    done = run_cli("train", "--data", table, "--task", "two-layers", "--out", made["run"])
    assert done.returncode == 0, done.stderr
    assert "off by" in done.stdout
    for recipe in ("float32", "int8"):
        options = ("--out", made[recipe], "--quantization", recipe, "--json")
        done = run_cli("convert", made["run"], *options)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["parity"]["largest_difference"] < {"float32": 1e-4, "int8": 3.0}[recipe]
    return made


def test_the_training_learns_more_than_a_mean(bundle: dict[str, Path], table: Path) -> None:
    off = json.loads((bundle["run"] / "run.json").read_text())["metrics"]["test_off"]
    rows = np.loadtxt(table, delimiter=",", skiprows=1)
    assert off < 0.85 * float(np.abs(rows[:, 2:] - rows[:, 2:].mean(axis=0)).mean())


def test_a_bundle_has_a_router_for_each_layer(bundle: dict[str, Path], cli: Cli) -> None:
    manifest = json.loads((bundle["int8"] / "manifest.json").read_text())
    assert manifest["format_version"] == "2.0"
    assert manifest["task_spec"] == {"type": "two-layers", "config": {"steps": 2}}
    layers = manifest["layers"]
    assert [layer["router"]["path"] for layer in layers] == [
        "routers/000.tflite",
        "routers/001.tflite",
    ]
    assert all(layer["router"]["resident_bytes"] > 0 for layer in layers)
    assert cli("verify", bundle["int8"]).returncode == 0
    assert cli("inspect", bundle["int8"], "--json").returncode == 0


def test_it_answers_as_keras_does(
    bundle: dict[str, Path], table: Path, cli: Cli, tmp_path: Path
) -> None:
    done = cli("evaluate", bundle["float32"], "--data", table, "--json")
    assert done.returncode == 0, done.stderr
    off = json.loads((bundle["run"] / "run.json").read_text())["metrics"]["test_off"]
    assert json.loads(done.stdout)["off"] == pytest.approx(off, abs=1e-4)
    lines = table.read_text().splitlines()
    (tmp_path / "points.csv").write_text(
        "\n".join(",".join(line.split(",")[:2]) for line in lines[:6]) + "\n"
    )
    done = cli("run", bundle["float32"], "--input", tmp_path / "points.csv", "--json")
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 5
    assert all(len(answer["state"]) == 2 and answer["experts"] for answer in answers)


def test_it_is_measured(bundle: dict[str, Path], cli: Cli, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    options = ("--seconds", 1, "--json", "--report", page)
    done = cli("benchmark", bundle["int8"], *options)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"]
    assert page.stat().st_size > 1000


def test_it_is_served(bundle: dict[str, Path]) -> None:
    command = [sys.executable, "-m", "edge_experts", "serve", str(bundle["int8"]), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            address = next(
                word
                for line in server.stderr
                for word in line.split()
                if word.startswith("http://")
            ).rstrip("/.,")
            with urllib.request.urlopen(f"{address}/models/turns") as answer:
                described = json.load(answer)
        finally:
            server.terminate()
    names = {tensor["name"] for tensor in described["outputs"]}
    assert {"scores", "expert"} <= names


def test_a_machine_without_its_package_says_so(bundle: dict[str, Path], cli: Cli) -> None:
    done = cli("run", bundle["int8"], "--input", "-", env={"PYTHONPATH": ""}, stdin="east,north\n")
    assert done.returncode == 4
    assert "no installed package provides 'two-layers' in edge_experts.tasks" in done.stderr
