"""Trainings to be killed: small data and settings of each kind, which run every stage."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.datasets import Dataset, from_arrays, load
from edge_experts.features.resizing import Resizing

STAGES: dict[str, Any] = {
    "experts": 3,
    "warm_epochs": 2,
    "router_epochs": 2,
    "epochs": 3,
    "choice_epochs": 3,
    "tune_epochs": 2,
    "teacher_epochs": 2,
    "select": "random",
    "patience": 3,
}
_WORDS = ("good fine great lovely", "bad dull poor dreary", "red green blue yellow")


def table() -> Dataset:
    """Return rows whose label is the product of two columns' signs."""
    random = np.random.default_rng(0)
    x = random.standard_normal((600, 6)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    return from_arrays("rows", x[:480], y[:480], x[480:], y[480:])


def text() -> Dataset:
    """Return sentences of words of three kinds."""
    random = np.random.default_rng(0)
    rows = ["text,label"]
    for label in random.integers(3, size=500):
        words = f"{_WORDS[label]} {_WORDS[int(random.integers(3))]}".split()
        rows.append(f"{' '.join(random.choice(words, 6))},{label}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sentences.csv")
        path.write_text("\n".join(rows), encoding="utf-8")
        return load(str(path))


def window() -> Dataset:
    """Return windows of a sensor, whose label is a frequency."""
    random = np.random.default_rng(0)
    y = random.integers(3, size=500)
    time = np.arange(32)[None, :, None] * (1 + y)[:, None, None]
    x = np.sin(time / 5 + random.uniform(0, 6, (500, 1, 2)))
    x = (x + random.standard_normal(x.shape)).astype(np.float32)
    return from_arrays("windows", x[:400], y[:400], x[400:], y[400:])


def photo() -> Dataset:
    """Return small photos, whose label is the place of a bright bar; training augments them."""
    random = np.random.default_rng(0)
    y = random.integers(3, size=300)
    x = random.integers(0, 150, (300, 16, 16, 3), np.uint8)
    for place, label in enumerate(y):
        x[place, 2 + 5 * label : 5 + 5 * label] += 100
    arrays = from_arrays("photos", x[:240], y[:240], x[240:], y[240:])
    return replace(arrays, kind="photo", resizing=Resizing(16, 16))


KINDS: dict[str, Callable[[], Dataset]] = {
    "table": table,
    "text": text,
    "window": window,
    "photo": photo,
}


def run(kind: str, out: str, log: str) -> None:
    """Train on a kind of data, in this process; its output goes to the file `log`."""
    from edge_experts.training import config_for, train

    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    train(KINDS[kind](), Path(out), config_for(kind, **STAGES), pictures=False, force=True)
