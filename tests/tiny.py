"""Bundles of a few kB, made without TensorFlow in milliseconds, which a real interpreter runs.

Every model is tiny.tflite with other weights: logits = x @ weights, for two columns and two labels.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
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
    expert_path,
)
from edge_experts.format.npz import npz
from edge_experts.runtime.interpreter import description

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


def tiny_bundle(
    folder: Path,
    *,
    version: int = 1,
    seeds: Sequence[int] = (0, 1),
    padding: int = 0,
    honest: bool = True,
    here: bool = True,
    **said: Any,
) -> Path:
    """A bundle of a router and two experts; one with the same seed is the same file.

    Args:
        padding: random bytes behind each expert, which the interpreter does not read.
        honest: whether its golden answers are what it answers.
        here: it was converted on this machine, so that to install it measures nothing.
        said: more of the manifest.
    """
    features = ArrayFeatures((2,), np.zeros(1), np.ones(1))
    experts = [weights_of(seed) for seed in seeds]
    files = {ROUTER: model(_GATE), FEATURES: npz(**features.arrays)}
    for index, (seed, weights) in enumerate(zip(seeds, experts, strict=True)):
        behind = np.random.default_rng(seed).bytes(padding)
        files[expert_path(index)] = model(weights) + behind
    picked = (INPUTS @ _GATE).argmax(axis=1)
    logits = np.stack([INPUTS[row] @ experts[pick] for row, pick in enumerate(picked)])
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    if not honest:
        scores = scores[:, ::-1]
    files[GOLDEN] = npz(inputs=INPUTS, scores=scores, experts=picked, features_x=INPUTS)
    files[MODEL_CARD] = f"A tiny bundle, version {version}.\n".encode()
    entries = {path: FileEntry.of(path, content, 1000) for path, content in files.items()}
    verified_on = {**description(), "machine": platform.machine()} if here else {}
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
        **{"verified_on": verified_on, "provenance": {}, **said},
    )
    (folder / "experts").mkdir(parents=True)
    for path, content in files.items():
        (folder / path).write_bytes(content)
    (folder / MANIFEST).write_text(manifest.to_json())
    return folder
