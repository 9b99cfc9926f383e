"""On a fresh board, the commands of docs/boards.md lead to the first answer, benchmark and test."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from device_tests.boards.building import built
from device_tests.boards.kinds import board
from tests.documents import pages

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["arm64-bookworm", "arm64-trixie"])
def test_every_command_works_on_a_fresh_board(
    name: str, wheel: Path, sentiment_bundle: Path, tmp_path: Path
) -> None:
    home, folder = tmp_path / "home", built(board(name))
    home.mkdir()
    # What the page has copied there:
    shutil.copy(wheel, home)
    shutil.copytree(_ROOT / "device_tests", home / "device_tests")
    for bundle in ("grown.bundle", "retrained.bundle"):
        shutil.copytree(sentiment_bundle, home / bundle)
    # What differs from a board: pip finds the index's wheels in a folder, and memory is not the
    # program's own (machine.py has boards where it is).
    env = ["PIP_NO_INDEX=1", "PIP_FIND_LINKS=/mnt/wheels", "PYTEST_ADDOPTS=-m 'not memory'"]
    options = ["--home", str(home), "--bind", f"{folder}/wheels:wheels"]
    options += [word for one in env for word in ("--env", one)]
    enter = [str(folder / "enter"), *options]
    said = {}
    # On trixie, test_boards.py runs the suite.
    suite = pages.commands("<!-- board suite -->") if name == "arm64-bookworm" else []
    for command in (*pages.commands("<!-- board -->"), *suite):
        done = subprocess.run(
            [*enter, "sh", "-c", command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        said[command.split(" ", 2)[1]] = done.stdout
    assert "answered as published" in said["verify"]
    assert said["run"].split()[0] in {"negative", "positive"}
    assert "side by side" in said["benchmark"]
    assert not suite or " passed" in said["-m"]
