"""Errors keep their exit codes, and each code still ends a real command."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_experts import errors
from tests.conftest import run_cli

from .data import BUNDLES, SOURCES, snapshot
from .reports import TABLE

_ROW = '{"height": "1.2", "colour": "red", "age": "31"}'

_WITHOUT_INTERPRETER = """
import runpy, sys
sys.modules.update(tflite_runtime=None, ai_edge_litert=None)
sys.argv = ["edge-experts", "run", sys.argv[1], "{}"]
runpy.run_module("edge_experts", run_name="__main__")
"""


@pytest.mark.parametrize("name", snapshot("exit_codes"))
def test_an_error_has_the_exit_code_and_the_base_of_0_1_0(name: str) -> None:
    wanted, error = snapshot("exit_codes")[name], getattr(errors, name)
    assert issubclass(error, getattr(errors, wanted["base"], Exception))
    if wanted["exit_code"] is None:  # of a board's command: it ends as that did
        assert error("it ended", 17).exit_code == 17
    else:
        assert error.exit_code == wanted["exit_code"]


def test_0_after_an_answer() -> None:
    assert run_cli("run", TABLE, _ROW).returncode == 0


def test_2_for_a_path_and_an_option_that_cannot_be_used(tmp_path: Path) -> None:
    out = tmp_path / "x.bundle"
    assert run_cli("convert", tmp_path, "--out", out).returncode == 2
    assert run_cli("run", TABLE, "--no-such-option").returncode == 2


def test_2_for_data_without_labels(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text,mood\nhi,a\n")
    done = run_cli("evaluate", BUNDLES / "text.bundle", "--data", tmp_path / "data.csv")
    assert done.returncode == 2, done.stderr


def test_3_for_a_damaged_file(tmp_path: Path) -> None:
    bundle = shutil.copytree(TABLE, tmp_path / "table.bundle")
    expert = bundle / "experts/001.tflite"
    content = bytearray(expert.read_bytes())
    content[len(content) // 2] ^= 1
    expert.write_bytes(content)
    assert run_cli("verify", bundle).returncode == 3


def test_4_without_an_interpreter() -> None:
    command = [sys.executable, "-c", _WITHOUT_INTERPRETER, str(TABLE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    assert "edge-experts[device]" in done.stderr


def test_5_for_a_threshold_that_is_missed() -> None:
    options = ("--data", SOURCES / "table.csv", "--min-accuracy", 1)
    assert run_cli("evaluate", TABLE, *options).returncode == 5


def test_6_for_a_disk_that_is_full() -> None:
    if not Path("/dev/full").exists():
        pytest.fail("this machine has no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edge_experts", "run", str(TABLE), _ROW],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 6, done.stderr


def test_130_after_an_interrupt() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "edge_experts", "run", str(TABLE)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # A suite in the background ignores this signal, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{_ROW}\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 130
    assert "Traceback" not in told
