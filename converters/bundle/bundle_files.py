"""Writers of a bundle's files: manifest, golden examples and model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from edge_experts.features import Features
from edge_experts.format.manifest import (
    CONTRACT,
    FEATURES,
    GOLDEN,
    MANIFEST,
    MODEL_CARD,
    ROUTER,
    FeatureSpec,
    FileEntry,
    Layer,
    Manifest,
    expert_paths,
    router_path,
)
from edge_experts.format.npz import npz
from edge_experts.format.trained_rows import FOLDER as TRAINED_ROWS
from edge_experts.format.trained_rows import rows_path
from edge_experts.run_folder import Run


def draft(
    folder: Path,
    run: Run,
    features: Features,
    bundle_version: int,
    layers: Sequence[int] = (),
    dense: Sequence[str] = (),
    trained_rows: Sequence[bytes] = (),
) -> Manifest:
    """Create a manifest of the models in `folder`, with all that the runtime needs to open it.

    Values that are known only after a run (costs, temperature, golden answers) are added later.

    Args:
        layers: experts of each layer, if there are several.
        dense: paths of the dense parts.
        trained_rows: contents of the run's files of hashes.
    """
    has_router = (folder / ROUTER).exists()
    return Manifest(
        name=run.name,
        bundle_version=bundle_version,
        task=run.task,
        features=FeatureSpec(features.kind, features.settings, write_features(folder, features)),
        labels=run.labels,
        combine=run.combine,
        top_k=run.top_k,
        temperature=1.0,
        router=pin(folder, ROUTER) if has_router else None,
        experts=tuple(pin(folder, path) for path in expert_paths(run.experts, layers)),
        layers=tuple(
            Layer(pin(folder, router_path(layer)), experts) for layer, experts in enumerate(layers)
        ),
        dense=tuple(pin(folder, path) for path in dense),
        golden=write(folder, GOLDEN, b""),
        model_card=write(folder, MODEL_CARD, b""),
        trained_rows=write_rows(folder, features, trained_rows),
        verified_on={},
        provenance={},
    )


def pin(folder: Path, path: str) -> FileEntry:
    return FileEntry.of(path, (folder / path).read_bytes())


def write(folder: Path, path: str, content: bytes) -> FileEntry:
    (folder / path).write_bytes(content)
    return FileEntry.of(path, content)


def write_rows(
    folder: Path, features: Features, contents: Sequence[bytes]
) -> tuple[FileEntry, ...]:
    """Write hashes of trained rows, if the bundle's format supports them."""
    if CONTRACT not in features.settings or not contents:
        return ()
    (folder / TRAINED_ROWS).mkdir(exist_ok=True)
    return tuple(write(folder, rows_path(index), one) for index, one in enumerate(contents))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")


def with_costs(manifest: Manifest, costs: Mapping[str, int], arenas: Mapping[str, int]) -> Manifest:
    """Add the memory costs of its models, and the arenas on microcontrollers, by path."""

    def priced(entry: FileEntry) -> FileEntry:
        arena = arenas.get(entry.path)
        return replace(entry, resident_bytes=costs[entry.path], arena_bytes=arena)

    return replace(
        manifest,
        router=None if manifest.router is None else priced(manifest.router),
        experts=tuple(priced(entry) for entry in manifest.experts),
        layers=tuple(replace(layer, router=priced(layer.router)) for layer in manifest.layers),
        dense=tuple(priced(entry) for entry in manifest.dense),
    )


def write_golden(
    folder: Path,
    features: Features,
    inputs: Any,
    scores: np.ndarray,
    experts: np.ndarray,
    of_task: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> FileEntry:
    """Write examples with the answers that a device must give, and the features in between.

    Args:
        of_task: the task's own arrays, by name, (examples, ...).
    """
    arrays: dict[str, list[np.ndarray]] = {
        f"features_{name}": [] for name in features.encode(inputs[0])
    }
    for example in inputs:
        for name, array in features.encode(example).items():
            arrays[f"features_{name}"].append(array[0])
    return write(
        folder,
        GOLDEN,
        npz(inputs=features.pack(inputs), scores=scores, experts=experts, **of_task, **arrays),
    )


def write_features(folder: Path, features: Features) -> FileEntry | None:
    """Write the features' arrays, if they have any."""
    if not features.arrays:
        return None
    return write(folder, FEATURES, npz(**features.arrays))
