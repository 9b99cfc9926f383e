"""Bundles of the task "two-layers", and its package, which is no part of edge_experts.

Made without TensorFlow in milliseconds: every model is tiny.tflite with other weights.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import registry
from edge_experts.features import ArrayFeatures
from edge_experts.format.manifest import (
    FEATURES,
    GOLDEN,
    MANIFEST,
    MODEL_CARD,
    FeatureSpec,
    FileEntry,
    Layer,
    Manifest,
    TaskSpec,
    expert_path,
    router_path,
)
from edge_experts.format.npz import npz
from edge_experts.runtime.interpreter import description

from . import tiny

PLUGIN = Path(__file__).parent / "plugin"
STEPS = 3
GATES = [np.array([[1, -1], [0.5, -0.5]]), np.array([[0.5, -0.5], [-1, 1]])]
# Turns by other angles, so that a state visits all experts, and a shrinking one.
ANGLES = [(0.9, 2.2), (-0.4, 1.7)]
INPUTS = np.array([[2, 1], [-2, 1], [1, -2], [-1, -3], [0.5, 2], [3, -0.5]], np.float32)


def turn(angle: float) -> np.ndarray:
    """Weights of an expert, (2, 2)."""
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def model(weights: np.ndarray) -> bytes:
    """A TFLite file that computes s @ weights, (2, 2)."""
    content, name = tiny.model(weights), b"\x01\0\0\0x\0"
    assert content.count(name) == 1
    return content.replace(name, name.replace(b"x", b"s"))


def path_of(example: np.ndarray, steps: int = STEPS) -> tuple[np.ndarray, list[int]]:
    """The last state of an input, (2,), and the experts on its way, by plain numpy."""
    state, experts = example.astype(np.float32), []
    for _ in range(steps):
        for layer, angles in enumerate(ANGLES):
            pick = int((state @ GATES[layer].astype(np.float32)).argmax())
            experts.append(2 * layer + pick)
            state = state @ turn(angles[pick]).astype(np.float32)
    return state, experts


def layered_bundle(
    folder: Path,
    *,
    version: int = 1,
    steps: Any = STEPS,
    here: bool = True,
    shares: Sequence[int] = (2, 2),
    models: Mapping[str, bytes] | None = None,
    **said: Any,
) -> Path:
    """A bundle of two layers of two experts each.

    Args:
        shares: how many experts the manifest says that each layer has.
        models: other files for some paths.
        here: it was converted on this machine, so that to install it measures nothing.
        said: more of the manifest.
    """
    features = ArrayFeatures((2,), np.zeros(1), np.ones(1))
    routers = {router_path(layer): model(gate) for layer, gate in enumerate(GATES)}
    turns = [turn(angle) for angles in ANGLES for angle in angles]
    experts = {expert_path(place): model(weights) for place, weights in enumerate(turns)}
    answers = [path_of(example, steps if type(steps) is int and steps else 1) for example in INPUTS]
    golden = npz(
        inputs=INPUTS,
        scores=np.array([state for state, _ in answers], np.float32),
        experts=np.array([visited[0] for _, visited in answers]),
        features_x=INPUTS,
    )
    card = f"Two layers, version {version}.\n".encode()
    files = {**routers, **experts, FEATURES: npz(**features.arrays), GOLDEN: golden}
    files |= {MODEL_CARD: card, **(models or {})}
    entries = {path: FileEntry.of(path, content, 1000) for path, content in files.items()}
    manifest = Manifest(
        name="turning",
        bundle_version=version,
        task="points that turn",
        features=FeatureSpec("array", features.settings, entries[FEATURES]),
        labels=("right", "up"),
        combine="top",
        top_k=1,
        temperature=1.0,
        router=None,
        experts=tuple(entries[path] for path in experts),
        golden=entries[GOLDEN],
        model_card=entries[MODEL_CARD],
        layers=tuple(Layer(entries[path], n) for path, n in zip(routers, shares, strict=True)),
        **{
            "task_spec": TaskSpec("two-layers", {"steps": steps}),
            "verified_on": {**description(), "machine": platform.machine()} if here else {},
            "provenance": {},
            **said,
        },
    )
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / MANIFEST).write_text(manifest.to_json())
    return folder


@contextmanager
def installed_plugin(folder: Path) -> Iterator[None]:
    """Installs the task's package for this process and its children, without pip."""
    info = folder / "two_layers-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: two-layers\nVersion: 1.0\n")
    points = (PLUGIN / "two_layers" / "entry_points.txt").read_text()
    (info / "entry_points.txt").write_text(points)
    with pytest.MonkeyPatch.context() as patch:
        for place in (folder, PLUGIN):
            patch.syspath_prepend(place)
        patch.setenv("PYTHONPATH", _joined([folder, PLUGIN], os.environ.get("PYTHONPATH")))
        registry._points.cache_clear()
        yield
    registry._points.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "two_layers"]:
        del sys.modules[name]


def _joined(places: Sequence[Path], others: str | None) -> str:
    return os.pathsep.join([*map(str, places), *([others] if others else [])])
