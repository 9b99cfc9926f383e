"""A bundle that needs no training: the tiny model is its router and both of its experts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.format.manifest import (
    MANIFEST,
    FeatureSpec,
    FileEntry,
    Manifest,
    canonical_digest,
    expert_path,
)
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.format.npz import npz
from edge_experts.runtime import ExpertRuntime, golden

TINY = resources.files("edge_experts.runtime").joinpath("tiny.tflite").read_bytes()
EXAMPLES = np.array([[1, 2], [-3, 1], [5, -1], [0, 1]], np.float32)


def write(folder: Path, path: str, content: bytes) -> FileEntry:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)
    return FileEntry.of(path, content, 2 * len(content))


def tiny_bundle(folder: Path) -> Path:
    """Write it into `folder`, with golden examples."""
    arrays = npz(mean=np.float32(1), deviation=np.float32(2))
    manifest = Manifest(
        name="tiny",
        bundle_version=1,
        task="none",
        features=FeatureSpec("array", {"shape": [2]}, write(folder, "features.npz", arrays)),
        labels=("low", "high"),
        combine="top",
        top_k=1,
        temperature=10.0,
        router=write(folder, "router.tflite", TINY),
        experts=tuple(write(folder, expert_path(index), TINY) for index in range(2)),
        golden=write(folder, "golden.npz", b""),
        model_card=write(folder, "MODEL_CARD.md", b"tiny\n" * 200),
        verified_on={"interpreter": "any"},
        provenance={"data": "none", "seed": 0},
    )
    publish(folder, manifest)
    with ExpertRuntime(folder) as runtime:
        answers = [runtime.predict(example) for example in EXAMPLES]
        encoded = [runtime.features.encode(example)["x"][0] for example in EXAMPLES]
    content = npz(
        inputs=EXAMPLES,
        scores=np.array([answer.scores for answer in answers]),
        experts=np.array([answer.expert for answer in answers]),
        features_x=np.array(encoded),
    )
    publish(folder, replace(manifest, golden=write(folder, "golden.npz", content)))
    assert use(folder) == len(EXAMPLES)
    return folder


def publish(folder: Path, manifest: Manifest) -> None:
    (folder / MANIFEST).write_text(manifest.to_json())


def replaced(folder: Path, **files: bytes) -> None:
    """Other content for files of a bundle, `router`, `golden` or `features`, correctly pinned."""
    manifest = read_manifest(folder)
    for name, content in files.items():
        if name == "features":
            entry = write(folder, "features.npz", content)
            manifest = replace(manifest, features=replace(manifest.features, file=entry))
        else:
            entry = write(folder, getattr(manifest, name).path, content)
            changes: dict[str, Any] = {name: entry}
            manifest = replace(manifest, **changes)
    publish(folder, manifest)


def rewritten(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """The manifest with something changed and a digest that is right."""
    content = json.loads((folder / MANIFEST).read_text())
    change(content)
    content["digest"] = canonical_digest(content)
    (folder / MANIFEST).write_text(json.dumps(content))


def use(folder: Path) -> int:
    """All that a device does with a bundle; the number of its golden examples."""
    with ExpertRuntime(folder, strict=True) as runtime:
        return golden.check(runtime)
