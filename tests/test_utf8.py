"""Files and pipes are read and written in UTF-8: no code leaves the encoding to the locale."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("edge_experts", "converters", "benchmarks", "device_tests")


def test_every_file_of_text_is_opened_with_an_encoding() -> None:
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    if ruff is None:
        pytest.skip("there is no ruff here")
    done = subprocess.run(
        [ruff, "check", "--preview", "--select", "PLW1514", "--output-format", "concise", *FOLDERS],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_pipe_of_text_has_an_encoding() -> None:
    sources = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(sources) > 300
    assert not [path for path in sources if "text=True" in path.read_text(encoding="utf-8")]
