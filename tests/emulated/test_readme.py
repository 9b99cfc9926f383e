"""On a fresh board, the README's commands lead to the first answer, benchmark and test."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from device_tests.boards.building import built
from device_tests.boards.kinds import board

_ROOT = Path(__file__).parents[2]


def commands(marker: str) -> list[str]:
    """The README's commands below <!-- marker -->."""
    text = (_ROOT / "README.md").read_text()
    lines = text.split(f"<!-- {marker} -->\n")[1].splitlines()
    block = lines[next(row for row, line in enumerate(lines) if line.startswith("    ")) :]
    end = next(row for row, line in enumerate(block) if not line.startswith("    "))
    return [line.strip() for line in block[:end]]


@pytest.mark.parametrize("name", ["arm64-bookworm", "arm64-trixie"])
def test_every_command_works_on_a_fresh_board(
    name: str, wheel: Path, sentiment_bundle: Path, tmp_path: Path
) -> None:
    home, folder = tmp_path / "home", built(board(name))
    home.mkdir()
    # What the README has copied there:
    shutil.copy(wheel, home)
    shutil.copytree(_ROOT / "device_tests", home / "device_tests")
    for bundle in ("sparse.bundle", "dense-all.bundle"):
        shutil.copytree(sentiment_bundle, home / bundle)
    # What differs from a board: pip finds the index's wheels in a folder, and memory is not the
    # program's own (machine.py has boards where it is).
    env = ["PIP_NO_INDEX=1", "PIP_FIND_LINKS=/mnt/wheels", "PYTEST_ADDOPTS=-m 'not memory'"]
    options = ["--home", str(home), "--bind", f"{folder}/wheels:wheels"]
    options += [word for one in env for word in ("--env", one)]
    enter = [str(folder / "enter"), *options]
    said = {}
    suite = commands("board suite") if name == "arm64-bookworm" else []  # trixie: test_boards.py
    for command in (*commands("board"), *suite):
        done = subprocess.run(
            [*enter, "sh", "-c", command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        said[command.split(" ", 2)[1]] = done.stdout
    assert "answered as published" in said["verify"]
    assert said["run"].split()[0] in {"negative", "positive"}
    assert "side by side" in said["benchmark"]
    assert not suite or " passed" in said["-m"]
