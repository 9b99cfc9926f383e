"""The suite for boards passes on emulated ones, with the wheels that users get there.

On real sentences to classify, and on a small language to translate, whose answers must be those of
this machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from device_tests.boards.agreement import agreement, compare, expect
from device_tests.boards.entering import entered, suite
from device_tests.boards.kinds import BOARDS, board
from tests.conftest import ROOT

_INTERPRETERS = ("tflite_runtime", "ai_edge_litert")


@dataclass(frozen=True)
class Published:
    """A bundle, and what it must answer, by interpreter."""

    bundle: Path
    expected: dict[str, Path]
    examples: int


@pytest.fixture(scope="module")
def sentiment(sentiment_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("sentiment")
    files = {interpreter: folder / f"{interpreter}.npz" for interpreter in _INTERPRETERS}
    for interpreter, out in files.items():
        options = ("--data", "sentiment", "--count", "1000")
        expect(sentiment_bundle, interpreter, out, options)
    return Published(sentiment_bundle, files, 1000)


@pytest.fixture(scope="module")
def translator(translator_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("translator")
    files = {interpreter: folder / f"{interpreter}.npz" for interpreter in _INTERPRETERS}
    for interpreter, out in files.items():
        subprocess.run(
            [sys.executable, "-m", "tests.translators", "expect", translator_bundle, out],
            env={**os.environ, "EDGE_EXPERTS_INTERPRETER": interpreter},
            cwd=ROOT,
            check=True,
        )
    return Published(translator_bundle, files, 40)


@pytest.fixture(scope="module", params=["sentiment", "translator"])
def published(request: pytest.FixtureRequest) -> Published:
    found: Published = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("name", BOARDS)
def test_the_suite_passes(name: str, published: Published) -> None:
    expected = published.expected[board(name).interpreter]
    done = suite(board(name), published.bundle, expected, capture=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
    assert "skipped" not in done.stdout


def test_both_architectures_give_the_same_bits(published: Published) -> None:
    names = ("arm64-bookworm", "armhf-bookworm")
    expected = published.expected["tflite_runtime"]
    wide, narrow = (agreement(board(name), published.bundle, expected) for name in names)
    assert wide["examples"] == published.examples
    assert wide["features"] == wide["reference"] == wide["other_labels"] == 0
    assert wide == narrow  # the fingerprint of all outputs included


def test_answers_are_made_and_compared_by_one_command(sentiment_bundle: Path) -> None:
    options = ("--data", "sentiment", "--count", "10", "--every", "50")
    found = compare(board("arm64-trixie"), sentiment_bundle, options)
    assert (found["examples"], found["features"], found["reference"]) == (10, 0, 0)


def test_child_processes_run_on_the_board_too() -> None:
    script = "import subprocess, sys; print(subprocess.check_output([sys.executable, '-c', "
    script += "'import platform; print(platform.machine())']).decode().strip())"
    done = entered(board("arm64-bookworm"), ["python3", "-c", script], capture=True)
    assert done.stdout == "aarch64\n", done.stderr


def test_nothing_on_the_board_changes() -> None:
    done = entered(board("arm64-bookworm"), ["touch", "/usr/bin/new"], capture=True)
    assert done.returncode != 0
    assert "Read-only" in done.stderr
