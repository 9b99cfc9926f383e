"""Tokens of random texts on several versions of Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.errors import MachineError
from edge_experts.features.text_rules import TableWords
from edge_experts.format.manifest import CONTRACT
from edge_experts.format.npz import npz

_ROOT = Path(__file__).parents[2]


def compare(pythons: Sequence[Path], count: int) -> dict[str, Any]:
    """Compare digests of the tokens of `count` texts on this Python and others.

    Raises:
        MachineError: a Python does not run, or lacks numpy.
    """
    rules = TableWords.trained()
    for python in pythons:
        if shutil.which(python) is None:
            raise MachineError(f"{python}: no such program; name a Python 3.11 or later with numpy")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "tables.npz").write_bytes(npz(**rules.arrays))
        (folder / "contract.json").write_text(json.dumps(rules.contract), encoding="utf-8")
        found = [_run(str(python), folder, count) for python in (sys.executable, *pythons)]
        tokens = {kind: [np.load(one[kind]) for one in found] for kind in ("tables", "own")}
    return {
        "texts": count,
        "unicode": rules.contract[CONTRACT]["unicode"],
        "pythons": [
            {
                "python": one["python"],
                "unicode": one["unicode"],
                "different": int((tokens["tables"][place] != tokens["tables"][0]).sum()),
                "different_without_tables": int((tokens["own"][place] != tokens["own"][0]).sum()),
            }
            for place, one in enumerate(found)
        ],
    }


def as_table(found: dict[str, Any]) -> list[list[str]]:
    """Build one row for each Python."""
    rows = [["Python", "its Unicode", "texts", "different", "without tables"]]
    for one in found["pythons"]:
        cells = (one["different"], one["different_without_tables"])
        rows.append([one["python"], one["unicode"], f"{found['texts']:,}", *map(str, cells)])
    return rows


def _run(python: str, folder: Path, count: int) -> dict[str, Any]:
    done = subprocess.run(
        [python, "-m", "benchmarks.features.unicode_process", str(folder), str(count)],
        cwd=_ROOT,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise MachineError(f"{python}: {reason[-1]}; it must be Python 3.11 or later with numpy")
    result: dict[str, Any] = json.loads(done.stdout)
    return result
