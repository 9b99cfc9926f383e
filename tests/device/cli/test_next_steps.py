"""`edge-experts` alone: the commands, and what to do next with what is in the folder."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from edge_experts.cli.app import app
from edge_experts.cli.next_steps import next_steps
from tests.conftest import run_cli
from tests.tiny import tiny_bundle


def _commands(folder: Path) -> list[str]:
    return [command for command, _ in next_steps(folder)]


def test_an_empty_folder_begins_with_the_quickstart(tmp_path: Path) -> None:
    done = run_cli(cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().splitlines()[-2:] == [
        "  edge-experts quickstart",
        "      train, convert, run and extend experts in minutes",
    ]
    assert "Ship to boards" in done.stdout
    assert _commands(tmp_path / "none") == ["edge-experts quickstart"]


def test_data_then_runs_then_bundles(tmp_path: Path) -> None:
    (tmp_path / "my flowers.csv").write_text("a,label\n")
    assert _commands(tmp_path) == ["edge-experts advise --data 'my flowers.csv'"]
    (tmp_path / "x.run").mkdir()
    assert _commands(tmp_path) == ["edge-experts advise --data 'my flowers.csv'"]
    (tmp_path / "x.run/run.json").write_text("{}")
    assert _commands(tmp_path) == ["edge-experts convert x.run --out x.bundle"]
    tiny_bundle(tmp_path / "x.bundle")
    assert _commands(tmp_path) == [
        "edge-experts benchmark x.bundle",
        "edge-experts deploy x.bundle pi@raspberrypi.local",
    ]


@pytest.mark.parametrize("names", [("a.csv",), ("a.run",), ("a.bundle",)])
def test_suggestions_are_commands_with_their_options(tmp_path: Path, names: tuple[str]) -> None:
    for name in names:
        if name.endswith(".csv"):
            (tmp_path / name).touch()
        elif name.endswith(".run"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "run.json").touch()
        else:
            tiny_bundle(tmp_path / name)
    group = get_command(app)
    for command in _commands(tmp_path):
        _, name, *words = shlex.split(command)
        found = group.get_command(None, name)  # type: ignore[attr-defined]
        found.make_context(name, words)
