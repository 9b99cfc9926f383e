"""Bitwise comparison of a bundle's answers on an emulated board and on this machine."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from edge_experts.benchmarking.tasks import measurements_of
from edge_experts.errors import MachineError, ThresholdError
from edge_experts.format.manifest_parser import read_manifest

from .entering import entered
from .kinds import Board

_LOGITS, _LOSS = 1e-4, 1e-3  # largest differences of a language model, see `LogitAgreement`


def expect(bundle: Path, interpreter: str, out: Path, options: Sequence[str]) -> None:
    """Write the file of answers that this machine's reference kernels give.

    Args:
        options: the selection of examples, as for `python -m edge_experts.benchmarking.expected`.

    Raises:
        MachineError: it failed; stderr has the reason.
    """
    command = [sys.executable, "-m", _module(bundle), str(bundle), *options, "--out", str(out)]
    env = {**os.environ, "EDGE_EXPERTS_INTERPRETER": interpreter}
    if subprocess.run(command, env=env, check=False).returncode:
        raise MachineError(f"{bundle}: no expected answers could be made; see the error above")


def agreement(
    board: Board, bundle: Path, expected: Path, *, capture: bool | Literal["stdout"] = True
) -> dict[str, Any]:
    """Compare the board's answers with such a file: an `Agreement` as JSON.

    Raises:
        MachineError: the board does not answer.
    """
    done = entered(
        board,
        ["python3", "-m", _module(bundle), "/mnt/bundle", "--check", "/mnt/expected.npz"],
        binds={"bundle": bundle, "expected.npz": expected},
        capture=capture,
    )
    if done.returncode:
        raise MachineError(f"{board.name}: does not answer: {done.stderr or 'see above'}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def compare(board: Board, bundle: Path, options: Sequence[str]) -> dict[str, Any]:
    """Make the answers of this machine and of a board, and compare them."""
    with tempfile.TemporaryDirectory() as folder:
        expected = Path(folder) / "expected.npz"
        expect(bundle, board.interpreter, expected, options)
        return agreement(board, bundle, expected, capture="stdout")


def _module(bundle: Path) -> str:
    """Return the module that compares answers of the bundle's task."""
    return measurements_of(read_manifest(bundle).task_type).AGREEMENT


def refuse_difference(found: dict[str, Any]) -> None:
    """Raise ThresholdError unless features and reference kernels agree in every bit.

    The logits of a language model may differ by rounding, and those of quantized files by more.
    """
    if "largest_logit" in found:
        most = _LOGITS if found["is_exact"] else math.inf
        if not (found["largest_logit"] <= most and found["loss"] <= _LOSS):
            raise ThresholdError(
                f"logits differ by {found['largest_logit']:.2g} of the largest, and the loss by "
                f"{found['loss']:.2g} nats"
            )
        return
    if found["features"] or found["reference"]:
        raise ThresholdError(
            f"of {found['examples']:,} examples, {found['features']:,} have different features and "
            f"{found['reference']:,} different answers by the reference kernels"
        )
