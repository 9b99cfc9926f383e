"""Bundles of a few kB, made without TensorFlow in milliseconds, which a real interpreter runs.

Every model is tiny.tflite with other weights, output = x @ weights, for two columns and two labels;
or of one output, x @ [5, 7] with other weights, as TensorFlow 2.19's converter writes it.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.features import ArrayFeatures
from edge_experts.format.manifest import (
    FEATURES,
    GOLDEN,
    MANIFEST,
    MODEL_CARD,
    ROUTER,
    FeatureSpec,
    FileEntry,
    Manifest,
    TaskSpec,
    expert_path,
)
from edge_experts.format.npz import npz
from edge_experts.runtime.interpreter import description

# In every quarter of the plane another input is far from where the router changes its mind.
INPUTS = np.array([[2, 1], [-2, 1], [1, -2], [-1, -3]], np.float32)
_GATE = np.array([[1, -1], [0.5, -0.5]], np.float32)  # expert 0 where 2x + y is positive
PICKED = (INPUTS @ _GATE).argmax(axis=1)
# Of the experts of regression and of several labels, which float32 multiplies and adds exactly.
REGRESSION = np.array([[[0.5, -1.0], [0.25, 2.0]], [[-2.0, 0.125], [1.0, 0.75]]])


def model(weights: np.ndarray) -> bytes:
    """A TFLite file that computes x @ weights, (2, 2)."""
    content = resources.files("edge_experts.runtime").joinpath("tiny.tflite").read_bytes()
    original = np.array([[1, 3], [2, 4]], "<f4").tobytes()
    assert content.count(original) == 1
    return content.replace(original, weights.T.astype("<f4").tobytes())


def one_output(weights: np.ndarray) -> bytes:
    """A TFLite file that computes x @ weights, (2, 1)."""
    path = Path(__file__).with_name("device") / "models" / "one_output.tflite"
    content, original = path.read_bytes(), np.array([5, 7], "<f4").tobytes()
    assert content.count(original) == 1
    return content.replace(original, weights.astype("<f4").tobytes())


def weights_of(seed: int) -> np.ndarray:
    """Weights that give clear answers, and other ones for every seed."""
    return np.array([[1, -1], [2, -2]]) * (1 + seed / 64)


def tiny_bundle(
    folder: Path,
    *,
    version: int = 1,
    seeds: Sequence[int] = (0, 1),
    padding: int = 0,
    honest: bool = True,
    here: bool = True,
    resident_bytes: int = 1000,
    **said: Any,
) -> Path:
    """A bundle of a router and two experts; one with the same seed is the same file.

    Args:
        padding: random bytes behind each expert, which the interpreter does not read.
        honest: whether its golden answers are what it answers.
        here: it was converted on this machine, so that to install it measures nothing.
        resident_bytes: memory of the router, and of each expert.
        said: more of the manifest.
    """
    features = ArrayFeatures((2,), np.zeros(1), np.ones(1))
    experts = [weights_of(seed) for seed in seeds]
    files = {ROUTER: model(_GATE)}
    for index, (seed, weights) in enumerate(zip(seeds, experts, strict=True)):
        behind = np.random.default_rng(seed).bytes(padding)
        files[expert_path(index)] = model(weights) + behind
    picked = PICKED
    logits = np.stack([INPUTS[row] @ experts[pick] for row, pick in enumerate(picked)])
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    if not honest:
        scores = scores[:, ::-1]
    files[GOLDEN] = npz(inputs=INPUTS, scores=scores, experts=picked, features_x=INPUTS)
    return _written(folder, files, features, version, here, said, resident_bytes)


def tiny_regression(
    folder: Path,
    *,
    mean: Sequence[float] = (100.0, -2.0),
    scale: Sequence[float] = (20.0, 0.5),
    version: int = 1,
    **said: Any,
) -> Path:
    """A bundle of a router and two experts that estimates one number, or two; by the means."""
    names = ("price", "width")[: len(mean)]
    features = ArrayFeatures((2,), np.zeros(1), np.ones(1))
    files = {ROUTER: model(_GATE)}
    for index, weights in enumerate(REGRESSION):
        made = model(weights) if len(names) == 2 else one_output(weights[:, 0])
        files[expert_path(index)] = made
    outputs = np.stack([INPUTS[row] @ REGRESSION[pick] for row, pick in enumerate(PICKED)])
    scores = outputs[:, : len(names)].astype(np.float32)
    with np.errstate(over="ignore"):
        values = scores * np.array(scale, np.float32) + np.array(mean, np.float32)
    golden = {"inputs": INPUTS, "scores": scores, "experts": PICKED, "values": values}
    files[GOLDEN] = npz(**golden, features_x=INPUTS)
    config = {"mean": list(mean), "scale": list(scale)}
    told = {
        "labels": names,
        "task": "array regression",
        "task_spec": TaskSpec("regression", config),
    }
    return _written(folder, files, features, version, True, told | said)


def tiny_labels(
    folder: Path, *, thresholds: Sequence[float] = (0.75, 0.25), version: int = 1, **said: Any
) -> Path:
    """A bundle of a router and two experts that answers with any of two labels."""
    features = ArrayFeatures((2,), np.zeros(1), np.ones(1))
    files = {ROUTER: model(_GATE)}
    for index, weights in enumerate(REGRESSION):
        files[expert_path(index)] = model(weights)
    logits = np.stack([INPUTS[row] @ REGRESSION[pick] for row, pick in enumerate(PICKED)])
    scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
    present = scores >= np.array(thresholds, np.float32)
    golden = {"inputs": INPUTS, "scores": scores, "experts": PICKED, "present": present}
    files[GOLDEN] = npz(**golden, features_x=INPUTS)
    told = {
        "labels": ("red", "round"),
        "task": "multi-label array classification",
        "task_spec": TaskSpec("multi-label", {"thresholds": list(thresholds)}),
    }
    return _written(folder, files, features, version, True, told | said)


def tiny_anomaly(
    folder: Path,
    *,
    errors: Sequence[Sequence[float]] = ((0.5, 0.25), (2.0, 1.0)),
    thresholds: Sequence[float] = (2.0, 4.0),
    version: int = 1,
    **said: Any,
) -> Path:
    """A bundle of a router and two experts that reconstructs two features."""
    features = ArrayFeatures((2,), np.zeros(1), np.ones(1))
    files = {ROUTER: model(_GATE)}
    for index, weights in enumerate(REGRESSION):
        files[expert_path(index)] = model(weights)
    outputs = np.stack([INPUTS[row] @ REGRESSION[pick] for row, pick in enumerate(PICKED)])
    apart = (INPUTS - outputs) / np.array(errors)[PICKED]
    deviations = np.sqrt((apart**2).mean(axis=1)) / np.array(thresholds)[PICKED]
    golden = {"inputs": INPUTS, "scores": outputs.astype(np.float32), "experts": PICKED}
    deviated = deviations.astype(np.float32)
    files[GOLDEN] = npz(**golden, deviations=deviated, features_x=INPUTS)
    config = {
        "mean": [100.0, -2.0],
        "scale": [20.0, 0.5],
        "errors": [list(row) for row in errors],
        "thresholds": list(thresholds),
    }
    told = {
        "labels": ("heat", "noise"),
        "task": "array anomaly detection",
        "task_spec": TaskSpec("anomaly", config),
    }
    return _written(folder, files, features, version, True, told | said)


def _written(
    folder: Path,
    files: dict[str, bytes],
    features: ArrayFeatures,
    version: int,
    here: bool,
    said: Mapping[str, Any],
    resident_bytes: int = 1000,
) -> Path:
    """Adds features, card and manifest, and writes all files."""
    files[FEATURES] = npz(**features.arrays)
    files[MODEL_CARD] = f"A tiny bundle, version {version}.\n".encode()
    entries = {path: FileEntry.of(path, content, resident_bytes) for path, content in files.items()}
    verified_on = {**description(), "machine": platform.machine()} if here else {}
    told: dict[str, Any] = {
        "name": "tiny",
        "task": "classification",
        "labels": ("up", "down"),
        "verified_on": verified_on,
        "provenance": {},
    }
    experts = sorted(path for path in files if path.startswith("experts/"))
    manifest = Manifest(
        bundle_version=version,
        features=FeatureSpec("array", features.settings, entries[FEATURES]),
        temperature=1.0,
        router=entries[ROUTER],
        experts=tuple(entries[path] for path in experts),
        golden=entries[GOLDEN],
        model_card=entries[MODEL_CARD],
        **{"combine": "top", "top_k": 1, **told, **said},
    )
    (folder / "experts").mkdir(parents=True)
    for path, content in files.items():
        (folder / path).write_bytes(content)
    (folder / MANIFEST).write_text(manifest.to_json())
    return folder
