"""Every kind of data goes from a file to a benchmark in four commands with names only."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Cli
from tests.documents import pages

RANDOM = np.random.default_rng(0)


def _npz(path: Path, examples: list[np.ndarray]) -> None:
    """Three classes in turn, a fifth of them for the test."""
    x, y, cut = np.stack(examples), np.arange(len(examples)) % 3, len(examples) * 4 // 5
    np.savez(path, x_train=x[:cut], y_train=y[:cut], x_test=x[cut:], y_test=y[cut:])


def _images(path: Path) -> Path:
    bars = [np.zeros((12, 12)), np.zeros((12, 12)), np.eye(12)]
    bars[0][5], bars[1][:, 5] = 1, 1
    noisy = [150 * bars[n % 3] + RANDOM.random((12, 12)) * 80 for n in range(300)]
    _npz(path / "data.npz", [image.astype(np.uint8) for image in noisy])
    return path / "data.npz"


def _windows(path: Path) -> Path:
    time = np.arange(40)[:, None]
    waves = [
        np.sin(time * (0.2 + 0.3 * (n % 3)) + 6 * RANDOM.random(2)) + RANDOM.normal(0, 0.1, (40, 2))
        for n in range(300)
    ]
    _npz(path / "data.npz", [wave.astype(np.float32) for wave in waves])
    return path / "data.npz"


def _table(path: Path) -> Path:
    lines = ["height,colour,nothing,label"]
    for n in range(300):
        height = round(float(RANDOM.normal(n % 3, 0.2)), 3) if n % 17 else ""
        colour = ["red", "green", "blue"][(n % 3 + (n % 5 == 0)) % 3]
        lines.append(f"{height},{colour},,{'abc'[n % 3]}")
    (path / "data.csv").write_text("\n".join(lines) + "\n")
    return path / "data.csv"


@pytest.mark.parametrize(
    ("make", "line", "first", "count"),
    [
        (_images, json.dumps((200 * np.eye(12)).tolist()), "data.npz[0]", 60),
        (_windows, json.dumps(np.zeros((40, 2)).tolist()), "data.npz[0]", 60),
        (_table, '{"height": 2.1, "colour": "blue", "nothing": null}', "data.csv:2", 300),
    ],
)
def test_from_file_to_benchmark(
    cli: Cli, tmp_path: Path, make: Callable[[Path], Path], line: str, first: str, count: int
) -> None:
    data = make(tmp_path)
    for command in (
        ("train", "--data", data, "--out", "a.run", "--experts", 4, "--no-gain"),
        ("convert", "a.run", "--out", "a.bundle"),
        ("evaluate", "a.bundle", "--data", data, "--json", "--min-accuracy", 0.85),
        ("benchmark", "a.bundle", "--rounds", 3),
    ):
        done = cli(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "side by side" in done.stdout
    done = cli("run", "a.bundle", "--input", data, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answered = done.stdout.splitlines()
    assert len(answered) == count, "of arrays, those of the test"
    assert answered[0].endswith(first)
    answer = json.loads(cli("run", "a.bundle", "--json", stdin=line + "\n", cwd=tmp_path).stdout)
    assert answer["score"] > 0.3
    done = cli("run", "a.bundle", "[1, 2]", cwd=tmp_path)
    assert done.returncode == 2
    assert "must" in done.stderr
    assert cli("verify", "a.bundle", cwd=tmp_path).returncode == 0


def test_advice_on_a_table(cli: Cli, tmp_path: Path) -> None:
    data = _table(tmp_path)
    done = cli("advise", "--data", data, "--memory", "1KB", "--latency", "5ms", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [one["experts"] for one in found["candidates"]] == [1, 1, 2, 4]
    assert all(one["answer_us"] > 0 for one in found["candidates"])
    assert found["verdict"]["word"] == "unclear", "twenty-odd examples settle nothing"
    assert "--width" in found["verdict"]["options"], "no expert fits into 1 KB"
    assert cli("advise", "--data", data, "--latency", "5 parsecs").returncode == 2


def _commands(marker: str) -> list[str]:
    """Words behind `edge-experts` of the commands below the marker."""
    return [line.removeprefix("edge-experts ") for line in pages.commands(f"<!-- {marker} -->")]


def test_the_documents_numbers_to_predict(cli: Cli, tmp_path: Path) -> None:
    lines = ["area,rooms,town,target:price,target:heating"]
    for n in range(300):
        area, town = RANDOM.uniform(40, 200), n % 3
        price = 1500 * area + 40_000 * town + RANDOM.normal(0, 2000)
        row = f"{area:.1f},{int(area // 30)},{['Graz', 'Linz', 'Wien'][town]}"
        lines.append(f"{row},{price:.0f},{0.9 * area:.1f}")
    (tmp_path / "houses.csv").write_text("\n".join(lines) + "\n")
    commands = _commands("numbers")
    assert [command.split()[0] for command in commands] == ["train", "convert", "run", "evaluate"]
    for command in [*commands[:3], f"{commands[3]} --min-r2 0.8 --json"]:
        done = cli(*command.split(), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["outputs"]) == {"price", "heating"}
    assert found["mae"] == pytest.approx(
        np.mean([one["mae"] for one in found["outputs"].values()]), rel=1e-3
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])", "keras.src.layers"),
        ("tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(3)])", "must be named"),
        ("tf_keras.Model(inputs, tf_keras.layers.Dense(9)(inputs['x']))", "one logit for each"),
    ],
)
def test_a_builder_that_makes_something_else(
    cli: Cli, tmp_path: Path, body: str, message: str
) -> None:
    lines = ["import keras, tf_keras", "def f(shapes):", "    inputs = shapes.keras_inputs()"]
    (tmp_path / "mine.py").write_text("\n".join([*lines, f"    return {body}"]))
    arguments = ("--data", _table(tmp_path), "--out", "x.run", "--model", "mine:f")
    done = cli("train", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.run").exists()
