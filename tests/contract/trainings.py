"""Trainings that 0.1.0 left as run folders; a part of make_data.py."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from . import sources
from .data import DATA, RUNS, SOURCES
from .making import fresh, run, run_code

_QUICK = {"warm_epochs": 3, "router_epochs": 2, "epochs": 2, "choice_epochs": 2, "tune_epochs": 1}
_SCRATCH = {"epochs": 3, "choice_epochs": 4, "tune_epochs": 1}
_STEPS = {"activation": "sparse_step"}
# Of each training: its data, its options, its settings.
_TRAININGS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "text": ("text.csv", ("--experts", 2), {**_QUICK, "width": 0.5}),
    "table": ("table.csv", ("--experts", 3), {**_SCRATCH, "width": 0.5}),
    "table_sum": (
        "table.csv",
        ("--experts", 2, "--combine", "sum", "--no-trunk"),
        {**_QUICK, **_STEPS, "width": 0.5},
    ),
    "table_two": (
        "table.csv",
        ("--experts", 3, "--top-k", 2, "--no-trunk"),
        {**_QUICK, "width": 0.25},
    ),
    "image": ("image.npz", ("--experts", 2), {**_SCRATCH, "width": 0.25}),
    "window": ("window.npz", ("--experts", 2), {**_SCRATCH, "width": 0.25}),
    "translation": (
        "translation.csv",
        (),
        {"width": 0.25, "warm_epochs": 120, "tune_epochs": 4, "batch_size": 256,
         "learning_rate": 5e-3},
    ),
}  # fmt: skip
_NETWORKS = """
import sys
import numpy as np
import edge_experts.training
import tf_keras
tf_keras.utils.set_random_seed(0)
with np.load(sys.argv[1]) as data:
    x, y = data["x_train"], data["y_train"]
for name, outputs, targets in (
    ("expert_0", 3, y), ("expert_1", 3, y), ("router", 2, (x[:, 0] > 0).astype(int))
):
    layers = tf_keras.layers
    dense = [layers.Dense(6, "relu"), layers.Dense(outputs, "softmax")]
    network = tf_keras.Sequential([layers.Input((5,)), *dense])
    network.compile("adam", "sparse_categorical_crossentropy")
    network.fit(x, targets, epochs=40, verbose=0)
    network.compile()
    network.save(f"{sys.argv[2]}/{name}.keras")
"""
_AWARE = """
import sys
from edge_experts.compression import Compression
from edge_experts.converters import compress
if __name__ == "__main__":
    compress(sys.argv[1], sys.argv[2], Compression("pruning+quantization-aware", epochs=1))
"""


def make_sources(temporary: Path) -> None:
    """Write the data sets, and what is asked of the bundles."""
    fresh(SOURCES)
    for name in ("text.csv", "table.csv", "translation.csv", "image.npz", "window.npz"):
        getattr(sources, name.split(".")[0])(SOURCES / name)
    sources.vector(SOURCES / "vector.npz")
    run_code(_NETWORKS, SOURCES / "vector.npz", fresh(DATA / "networks"))


def make_runs(temporary: Path) -> None:
    """Train all run folders, without their logs and pictures."""
    fresh(RUNS)
    for name, (data, options, settings) in _TRAININGS.items():
        config = temporary / f"{name}.toml"
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in settings.items()]
        extra = [] if name == "translation" else ["teacher_epochs = 0\n"]
        config.write_text("".join([*lines, *extra]))
        out = RUNS / f"{name}.run"
        given = ("--data", SOURCES / data, "--config", config, "--no-pictures", *options)
        print(name, run("train", *given, "--out", out).strip(), flush=True)
    _without_logs()


def make_other_runs(temporary: Path) -> None:
    """Adopt networks, and fine-tune experts by quantization-aware training."""
    data = SOURCES / "vector.npz"
    for name in ("vector", "table_aware"):
        shutil.rmtree(RUNS / f"{name}.run", ignore_errors=True)
    print(run("adopt", DATA / "networks", "--data", data, "--out", RUNS / "vector.run"))
    run_code(_AWARE, RUNS / "table.run", RUNS / "table_aware.run")
    _without_logs()


def _without_logs() -> None:
    for folder in RUNS.iterdir():
        for part in ("logs", "pictures"):
            shutil.rmtree(folder / part, ignore_errors=True)
