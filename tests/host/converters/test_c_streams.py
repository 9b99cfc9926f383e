"""Sounds and sensors as C source: answers in TensorFlow Lite Micro beside the runtime's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_experts.converters.c_source import sound

from edge_experts import datasets
from edge_experts.datasets import Columns, Dataset
from edge_experts.features import SoundFeatures, read_features
from edge_experts.format.manifest_parser import read_manifest

from ...conftest import Cli
from ...documents import small_data
from ...sounds import LABELS, RATE, made, noise, stream, write_sounds
from .test_c_source import EXAMPLES, ROOT, answers, assert_equal, needs_the_oracle

pytestmark = pytest.mark.long


def source_of(folder: Path, cli: Cli, *training: object) -> Path:
    """Train briefly, convert for a microcontroller, and write the C source beside the bundle."""
    needs_the_oracle()
    pytest.importorskip("tflite_micro")
    (folder / "quick.toml").write_text(small_data.QUICK.replace("epochs = 2", "epochs = 6"))
    for command in (
        ("train", *training, "--experts", 2, "--config", "quick.toml", "--no-gain", "--no-pictures",
         "--out", "a.run"),
        ("convert", "a.run", "--out", "a.bundle", "--target", "microcontroller", "--io", "integer",
         "--max-accuracy-drop", 100, "--c-source", "a_c"),
    ):  # fmt: skip
        done = cli(*command, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder / "a_c"


def motion_source(folder: Path, cli: Cli, stride: int) -> tuple[Path, Dataset]:
    """Write the C source of a bundle for rows of a sensor, and read them at another stride."""
    small_data.motion(folder / "motion.csv")
    columns = ("--group-column", "person", "--time-column", "t")
    source = source_of(
        folder, cli, "--data", "motion.csv", "--window", 64, "--stride", 32, *columns
    )
    data = datasets.load(
        str(folder / "motion.csv"),
        columns=Columns(group="person", time="t"), window=64, stride=stride,
    )  # fmt: skip
    return source, data


def _streamed(folder: Path, **given: np.ndarray) -> Any:
    """What tests.host.micro_stream finds; `answers` has compiled the library."""
    np.savez(folder / "given.npz", **given)
    done = subprocess.run(
        [sys.executable, "-m", "tests.host.micro_stream"]
        + [str(folder / name) for name in ("a.bundle", "a_c.so", "given.npz")],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def _run(folder: Path, content: bytes, *options: object) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "edge_experts", "run", "a.bundle", *map(str, options)]
    done = subprocess.run(
        [*command, "--json"], input=content, cwd=folder, capture_output=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_sounds(tmp_path: Path, cli: Cli) -> None:
    write_sounds(tmp_path / "sounds", 36)
    source = source_of(tmp_path, cli, "--data", "sounds/")
    bundle = tmp_path / "a.bundle"
    features = read_features(bundle, read_manifest(bundle).features)
    assert isinstance(features, SoundFeatures)
    random = np.random.default_rng(7)
    sounds = [made(LABELS[place % 3], random)[:, 0] for place in range(EXAMPLES * 3 // 4)]
    sounds += [noise(0.5, random)[:, 0] for _ in range(EXAMPLES // 4)]
    found = answers(bundle, source, examples=np.array([features.window(one) for one in sounds]))
    assert np.array_equal(found["encoded"], found["c_encoded"])
    assert_equal(found)

    samples, _ = stream([*LABELS, "hum"], random)
    hop = sound.defines(features.log_mel)["USUAL_HOP"]
    header = (source / "edge_experts_sound.h").read_text()
    assert "#define EDGE_EXPERTS_THRESHOLD 0.7f" in header
    detected = _streamed(tmp_path, samples=samples)
    wanted = _run(tmp_path, samples.tobytes(), "--listen", "--hop", hop / RATE)
    assert len(wanted) >= 2
    half = features.log_mel.samples / 2
    within = [one for one in wanted if one["time"] * RATE + half <= len(samples)]
    assert [(label, round(max(0, place - half) / RATE, 3)) for place, label, _ in detected] == [
        (one["label"], one["time"]) for one in within
    ]
    scores = [one["score"] for one in within]
    assert np.allclose([score for *_, score in detected], scores, atol=0.01)


def test_sensors(tmp_path: Path, cli: Cli) -> None:
    source, data = motion_source(tmp_path, cli, stride=4)
    windows = np.concatenate([np.asarray(part.inputs) for part in (data.train, data.test)])
    found = answers(tmp_path / "a.bundle", source, examples=windows[:EXAMPLES].astype(np.float32))
    assert np.array_equal(found["encoded"], found["c_encoded"])
    assert_equal(found)

    lines = [line.split(",") for line in (tmp_path / "motion.csv").read_text().splitlines()]
    rows = [line[1:5] for line in lines[1:] if line[0] == lines[1][0]]
    del rows[100:102]  # resampled
    content = "".join(",".join(row) + "\n" for row in rows).encode()
    numbers = np.array(rows, np.float64)
    told = _streamed(tmp_path, rows=numbers[:, 1:], times=numbers[:, 0])
    wanted = _run(tmp_path, content, "--stream")
    assert len(wanted) >= 5
    assert [label for label, _ in told] == [one["label"] for one in wanted]
    assert np.allclose([score for _, score in told], [one["score"] for one in wanted], atol=0.02)
