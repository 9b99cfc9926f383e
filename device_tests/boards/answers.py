"""Whether a bundle answers on an emulated board as on this machine, bit by bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from edge_experts.errors import MachineError, ThresholdError

from .entering import entered
from .kinds import Board

_EXPECTED = "edge_experts.benchmarking.expected"


def expect(bundle: Path, interpreter: str, out: Path, options: Sequence[str]) -> None:
    """Write the file of answers that this machine's reference kernels give.

    Args:
        options: which examples, as `python -m edge_experts.benchmarking.expected` takes them.

    Raises:
        MachineError: it failed; stderr says why.
    """
    command = [sys.executable, "-m", _EXPECTED, str(bundle), *options, "--out", str(out)]
    env = {**os.environ, "EDGE_EXPERTS_INTERPRETER": interpreter}
    if subprocess.run(command, env=env, check=False).returncode:
        raise MachineError(f"{bundle}: no answers to compare with, for the reason above")


def agreement(
    board: Board, bundle: Path, expected: Path, *, capture: bool | Literal["stdout"] = True
) -> dict[str, Any]:
    """How the board's answers differ from such a file: an `Agreement`.

    Raises:
        MachineError: it does not get to an answer there.
    """
    done = entered(
        board,
        ["python3", "-m", _EXPECTED, "/mnt/bundle", "--check", "/mnt/expected.npz"],
        binds={"bundle": bundle, "expected.npz": expected},
        capture=capture,
    )
    if done.returncode:
        raise MachineError(f"{board.name}: does not answer: {done.stderr or 'see above'}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def compare(board: Board, bundle: Path, options: Sequence[str]) -> dict[str, Any]:
    """The answers of this machine and of a board, made and compared now."""
    with tempfile.TemporaryDirectory() as folder:
        expected = Path(folder) / "expected.npz"
        expect(bundle, board.interpreter, expected, options)
        return agreement(board, bundle, expected, capture="stdout")


def refuse_difference(found: dict[str, Any]) -> None:
    """Raises ThresholdError unless features and reference kernels agree in every bit."""
    if found["features"] or found["reference"]:
        raise ThresholdError(
            f"of {found['examples']:,} examples, {found['features']:,} have other features and "
            f"{found['reference']:,} other answers by the reference kernels"
        )
