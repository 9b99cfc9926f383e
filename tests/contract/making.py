"""Helpers of make_data.py: commands that must succeed, and snapshots."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, run_cli

from .data import SNAPSHOTS


def run(*arguments: object, **options: Any) -> str:
    """Run a command of edge-experts, and return what it printed."""
    done = run_cli(*arguments, **options)
    if done.returncode:
        raise SystemExit(f"{arguments}: {done.stderr}")
    return done.stdout


def run_code(code: str, *arguments: object) -> None:
    """Run code as a script, since networks import TensorFlow and start processes."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.py")
        script.write_text(code)
        command = [sys.executable, str(script), *map(str, arguments)]
        subprocess.run(command, check=True, cwd=ROOT)


def fresh(folder: Path) -> Path:
    """Make an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def write_snapshot(name: str, content: Any) -> None:
    """Write snapshots/NAME.json."""
    SNAPSHOTS.mkdir(exist_ok=True)
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (SNAPSHOTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
