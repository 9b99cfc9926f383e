"""Making files: by several processes, once; what dies is named, and nothing is half there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.errors import ConversionError
from edge_experts.format.manifest import MANIFEST
from edge_experts.format.manifest_parser import read_manifest

from ...conftest import Cli


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_EXPERTS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "converted"


def files(bundle: Path) -> dict[str, bytes]:
    entries = read_manifest(bundle).files
    return {entry.path: (bundle / entry.path).read_bytes() for entry in entries}


def test_what_did_not_change_is_not_converted_again(
    make_run: Any, make_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.converters import convert
    from edge_experts.converters.process import pool as workers

    model = make_model()
    run = make_run(model)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    convert(run, tmp_path / "first", max_accuracy_drop=100)
    assert list(temporary.iterdir()) == [], "TensorFlow's files stay where its process is killed"
    with monkeypatch.context() as patched:
        patched.setattr(workers.Workers, "run", None)  # nobody may be asked
        convert(run, tmp_path / "second", max_accuracy_drop=100)
    assert files(tmp_path / "second") == files(tmp_path / "first")

    # Another expert: it is converted, and no other network.
    changed = model.experts[1]
    changed.set_weights([weight + 1 for weight in changed.get_weights()])
    asked: list[str] = []
    real = workers.Workers.run

    def spied(self: Any, tasks: Any, *more: Any) -> Any:
        asked.extend(task.get("path", task["do"]) for task in tasks)
        return real(self, tasks, *more)

    monkeypatch.setattr(workers.Workers, "run", spied)
    convert(make_run(model, "changed.run"), tmp_path / "third", max_accuracy_drop=100)
    assert asked == ["prepare", "experts/001.tflite"]
    assert (
        files(tmp_path / "third")["experts/000.tflite"]
        == (files(tmp_path / "first")["experts/000.tflite"])
    )


def test_what_decides_a_file_decides_its_place_in_the_cache(
    make_run: Any, make_model: Any, tmp_path: Path, cache: Path
) -> None:
    from edge_experts.converters import convert

    run = make_run(make_model())
    counts = []
    for options in (
        {},
        {},
        {"quantization": "float32"},
        {"io": "integer"},
        {"cache": False, "quantization": "float16"},
    ):
        convert(run, tmp_path / "b", force=True, max_accuracy_drop=100, **options)
        counts.append(len(list(cache.iterdir())))
    # Four networks and what Keras answers; then four networks for each new recipe.
    assert counts == [5, 5, 9, 13, 13]


def test_a_damaged_entry_is_made_anew(
    make_run: Any, make_model: Any, tmp_path: Path, cache: Path
) -> None:
    from edge_experts.converters import convert

    run = make_run(make_model())
    convert(run, tmp_path / "first", max_accuracy_drop=100)
    for entry in cache.iterdir():
        raw = bytearray(entry.read_bytes())
        raw[-1] ^= 1
        entry.write_bytes(raw)
    convert(run, tmp_path / "second", max_accuracy_drop=100)
    assert files(tmp_path / "second") == files(tmp_path / "first")


def test_the_cache_keeps_what_was_used_last(tmp_path: Path) -> None:
    from edge_experts.converters.process.cache import Cache

    kept = Cache(tmp_path / "kept")
    for number in range(4):
        kept.put(f"{number}", bytes(1000))
        os.utime(tmp_path / "kept" / f"{number}", (number, number))
    assert kept.get("0") == bytes(1000), "which makes it the one used last"
    kept.trim(2500)
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["0", "3"]
    nothing = Cache(None)
    nothing.put("0", b"x")
    nothing.trim()
    assert nothing.get("0") is None


def test_a_cache_that_cannot_be_written_costs_time_only(
    make_run: Any, make_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.converters import convert

    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("EDGE_EXPERTS_CACHE", str(tmp_path / "file"))
    convert(make_run(make_model()), tmp_path / "b", max_accuracy_drop=100)
    assert (tmp_path / "b" / MANIFEST).exists()


def test_two_processes_make_what_one_does(
    make_run: Any, make_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.converters import convert, network_files

    monkeypatch.setattr(network_files, "_WORTH", 1)
    run = make_run(make_model(experts=6))
    for processes in (1, 2):
        out = tmp_path / f"{processes}"
        convert(run, out, processes=processes, cache=False, max_accuracy_drop=100)
    assert files(tmp_path / "2") == files(tmp_path / "1")


def test_a_death_fails_its_expert_alone(make_run: Any, make_model: Any, tmp_path: Path) -> None:
    from edge_experts.converters import convert
    from edge_experts.converters.process import pool as workers
    from edge_experts.converters.process.order import Order

    job = tmp_path / "job"
    job.mkdir()
    (job / "job.json").write_text(json.dumps({"model": "none", **Order().to_json()}))
    with workers.Workers(job, 1) as pool:
        pool.start(1)
        process = pool._all[0]._process
        process.kill()
        process.wait()
        failed = pool.run([{"do": "prepare"}] * 2)
        assert failed[0] == "the process died of SIGKILL"
        assert "none" in failed[1], "a new process has taken its place"

    run = make_run(make_model())
    (run / "model.keras").write_bytes(b"no model")
    with pytest.raises(ConversionError, match="the Keras model cannot be run"):
        convert(run, tmp_path / "b")


def test_a_kill_leaves_the_old_bundle_or_none(
    sentiment_run: Path, sentiment_bundle: Path, tmp_path: Path, cli: Cli
) -> None:
    out = tmp_path / "b"
    shutil.copytree(sentiment_bundle, out)
    before = files(out)
    command = [sys.executable, "-m", "edge_experts", "convert", str(sentiment_run)]
    command += ["--out", str(out), "--force", "--quantization", "float16"]
    for seconds in np.linspace(0.3, 12, 6):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(seconds)
        ended = process.poll() is not None
        process.send_signal(signal.SIGKILL)
        process.wait()
        if ended:
            break
        if out.exists():
            assert files(out) == before or cli("verify", out).returncode == 0
    assert cli("verify", out).returncode == 0 or not out.exists()
