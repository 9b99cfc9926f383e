"""SIGTERM and SIGHUP end a command as Ctrl-C does: nothing unfinished stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import pytest

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
# What a command does: a folder that is being filled, a child process, and what it registered.
_COMMAND = """
import atexit, subprocess, sys, time
from pathlib import Path
from edge_experts.cli.signals import orderly_end
from edge_experts.format.atomic import staged
with orderly_end():
    atexit.register(lambda: print("tidied"))
    with staged(Path(sys.argv[1])) as folder:
        (folder / "half").write_text("x")
        print("ready", flush=True)
        time.sleep(60)
"""


def _started(
    *command: object, ignores: signal.Signals | None = None, stderr: int | IO[str] = subprocess.PIPE
) -> subprocess.Popen[str]:
    def dispositions() -> None:  # whatever the suite was started with, as under nohup
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN if number == ignores else signal.SIG_DFL)

    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=dispositions,
    )


def _left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_what_is_unfinished_goes_and_the_signal_is_the_end(
    tmp_path: Path, number: signal.Signals
) -> None:
    with _started("-c", _COMMAND, tmp_path / "out") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert len(_left(tmp_path)) == 1
        process.send_signal(number)
        said, errors = process.communicate(timeout=60)
    assert process.returncode == -number
    assert said == "tidied\n", "what runs at the end of Python runs first"
    assert errors == ""
    assert _left(tmp_path) == []


def test_under_nohup_the_end_of_a_session_changes_nothing(tmp_path: Path) -> None:
    with _started("-c", _COMMAND, tmp_path / "out", ignores=signal.SIGHUP) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    assert _left(tmp_path) == []


def test_signals_that_come_together_do_not_interrupt_the_cleaning_up(tmp_path: Path) -> None:
    with _started("-c", _COMMAND, tmp_path / "out") as process:
        assert process.stdout is not None
        process.stdout.readline()
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGTERM):
            process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGHUP, -signal.SIGTERM)
    assert _left(tmp_path) == []


def test_a_library_leaves_signals_alone() -> None:
    # Compared with before: a test run under nohup starts its processes with signals ignored.
    code = (
        "import signal\n"
        "numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)\n"
        "before = [signal.getsignal(number) for number in numbers]\n"
        "import edge_experts, edge_experts.cli.app\n"
        "for number, handler in zip(numbers, before):\n"
        "    print(signal.getsignal(number) == handler)"
    )
    with _started("-c", code) as process:
        said, _ = process.communicate(timeout=60)
    assert said.split() == ["True"] * 3


def _until(is_so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not is_so():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)


def _children(process: int) -> list[int]:
    """Processes that it has started, and theirs."""
    listed = Path(f"/proc/{process}/task/{process}/children")
    own = [int(number) for number in listed.read_text().split()]
    return own + [each for child in own for each in _children(child)]


def _is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_training_leaves_its_checkpoints_alone(tmp_path: Path, number: signal.Signals) -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((200, 3)).astype(np.float32)
    data, work = tmp_path / "data.npz", tmp_path / "work"
    np.savez(data, x_train=x[:160], y_train=x[:160, 0] > 0, x_test=x[160:], y_test=x[160:, 0] > 0)
    work.mkdir()
    (tmp_path / "long.toml").write_text("epochs = 4000\npatience = 0\n")
    options = ("--config", tmp_path / "long.toml", "--no-pictures")
    with (tmp_path / "log").open("w") as log:
        command = ("-m", "edge_experts", "train", "--data", data, "--out", work / "k.run")
        with _started(*command, *options, stderr=log) as process:
            _until(lambda: bool(list(work.glob("k.run.checkpoints/**/*.running.npz"))), process)
            process.send_signal(number)
            process.communicate(timeout=120)
    assert process.returncode == -number
    assert _left(work) == ["k.run.checkpoints"]
    said = (tmp_path / "log").read_text()
    assert "the same command resumes from here" in said
    assert "Traceback" not in said


def test_a_conversion_ends_with_its_children(tmp_path: Path, sentiment_run: Path) -> None:
    out, cache = tmp_path / "out", tmp_path / "cache"
    out.mkdir()
    command = ("-m", "edge_experts", "convert", sentiment_run, "--out", out / "b", "--no-cache")
    with _started(*command) as process:
        _until(lambda: len(_children(process.pid)) > 0 and bool(_left(out)), process)
        children = _children(process.pid)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    assert process.returncode == -signal.SIGTERM
    assert children
    assert not any(map(_is_running, children))
    assert _left(out) == []
    assert not cache.exists()
