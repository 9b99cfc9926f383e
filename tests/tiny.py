"""Bundles of a few kB, made without TensorFlow in milliseconds, which a real interpreter runs.

Every model is tiny.tflite with other weights: logits = x @ weights, for two columns and two labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from edge_experts.bundle import (
    FEATURES,
    GOLDEN,
    MANIFEST,
    MODEL_CARD,
    ROUTER,
    FeatureSpec,
    FileEntry,
    Manifest,
    expert_path,
)
from edge_experts.features import ArrayFeatures
from edge_experts.folders import npz

# In every quarter of the plane another input is far from where the router changes its mind.
INPUTS = np.array([[2, 1], [-2, 1], [1, -2], [-1, -3]], np.float32)
_GATE = np.array([[1, -1], [0.5, -0.5]], np.float32)  # expert 0 where 2x + y is positive


def model(weights: np.ndarray) -> bytes:
    """A TFLite file that computes x @ weights, (2, 2)."""
    content = resources.files("edge_experts.runtime").joinpath("tiny.tflite").read_bytes()
    original = np.array([[1, 3], [2, 4]], "<f4").tobytes()
    assert content.count(original) == 1
    return content.replace(original, weights.T.astype("<f4").tobytes())


def weights_of(seed: int) -> np.ndarray:
    """Weights that give clear answers, and other ones for every seed."""
    return np.array([[1, -1], [2, -2]]) * (1 + seed / 64)


def tiny_bundle(folder: Path, *, version: int = 1, seeds: Sequence[int] = (0, 1)) -> Path:
    """A bundle of a router and two experts; one with the same seed is the same file."""
    features = ArrayFeatures((2,), np.zeros(1), np.ones(1))
    experts = [weights_of(seed) for seed in seeds]
    files = {ROUTER: model(_GATE), FEATURES: npz(**features.arrays)}
    files |= {expert_path(index): model(weights) for index, weights in enumerate(experts)}
    picked = (INPUTS @ _GATE).argmax(axis=1)
    logits = np.stack([INPUTS[row] @ experts[pick] for row, pick in enumerate(picked)])
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    files[GOLDEN] = npz(inputs=INPUTS, scores=scores, experts=picked, features_x=INPUTS)
    files[MODEL_CARD] = f"A tiny bundle, version {version}.\n".encode()
    entries = {path: FileEntry.of(path, content, 1000) for path, content in files.items()}
    manifest = Manifest(
        name="tiny",
        bundle_version=version,
        task="classification",
        features=FeatureSpec("array", features.settings, entries[FEATURES]),
        labels=("up", "down"),
        combine="top",
        top_k=1,
        temperature=1.0,
        router=entries[ROUTER],
        experts=tuple(entries[expert_path(index)] for index in range(len(experts))),
        golden=entries[GOLDEN],
        model_card=entries[MODEL_CARD],
        verified_on={},
        provenance={},
    )
    (folder / "experts").mkdir(parents=True)
    for path, content in files.items():
        (folder / path).write_bytes(content)
    (folder / MANIFEST).write_text(manifest.to_json())
    return folder
