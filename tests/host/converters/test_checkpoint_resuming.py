"""A conversion of a checkpoint that was killed goes on, and keeps what it had finished."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_experts.format.manifest_parser import read_manifest
from tests import checkpoints

# Kills itself while it writes the file after the first COUNT.
_KILLED = """
import os, signal, sys
from edge_experts.converters.checkpoints import convert_checkpoint, file_writing
from edge_experts.format import disk

source, out, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
rename, done = disk.rename, 0

def counted(old, new):
    global done
    if new.suffix == ".tflite":
        if done == count:
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1
    rename(old, new)

disk.rename = counted
file_writing._THREADS = 1  # so that COUNT files are finished
convert_checkpoint(source, out, quantization="float32")
"""


def _finished(folder: Path) -> dict[str, tuple[int, int]]:
    """Return number and time of each finished file."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*.tflite")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def test_a_killed_conversion_keeps_its_files(keras: Any, tmp_path: Path) -> None:
    """Killed at five moments, one after the other; each time the earlier files stay."""
    pytest.importorskip("tokenizers")
    from edge_experts.converters.checkpoints import convert_checkpoint

    source = checkpoints.copied("granite", tmp_path / "granite")
    whole, out = tmp_path / "whole.bundle", tmp_path / "a.bundle"
    convert_checkpoint(source, whole, quantization="float32")
    partial, before = tmp_path / ".a.bundle.partial", dict[str, tuple[int, int]]()
    for count in (0, 1, 3, 4, 5):
        done = subprocess.run(
            [sys.executable, "-c", _KILLED, str(source), str(out), str(count)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert not out.exists()
        now = _finished(partial)
        assert len(now) == len(before) + count
        assert before.items() <= now.items()
        before = now
    convert_checkpoint(source, out, quantization="float32")
    assert before.items() <= _finished(out).items()
    digests = [{one.path: one.sha256 for one in read_manifest(b).models} for b in (whole, out)]
    assert digests[0] == digests[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.bundle",
        "granite",
        "whole.bundle",
    ]
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert names == {"manifest.json", *(one.path for one in read_manifest(out).files)}


def test_what_changes_the_files_changes_the_key(tmp_path: Path) -> None:
    from edge_experts.converters.checkpoints.conversion_key import conversion_key
    from edge_experts.converters.checkpoints.model_config import read_config
    from edge_experts.converters.checkpoints.tensor_index import WHOLE, read_tensors

    source = checkpoints.copied("granite", tmp_path / "granite")

    def key(quantization: str = "int8") -> str:
        found: str = conversion_key(read_config(source), read_tensors(source), quantization)
        return found

    first = key()
    assert key() == first
    assert key("int4") != first
    checkpoints.reconfigured(source, logits_scaling=2.0)
    second = key()
    assert second != first
    (source / WHOLE).touch()
    assert key() != second
