"""Manifest of a checkpoint's bundle, and its golden examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.format.manifest import (
    GOLDEN,
    MODEL_CARD,
    FeatureSpec,
    Layer,
    Manifest,
    TaskSpec,
    expert_paths,
    router_path,
)
from edge_experts.runtime.tasks.language_model.network_settings import EMBEDDING
from edge_experts.version import VERSION

from ..bundle import bundle_files
from ..bundle.structures import summarize
from ..language_model.prompts import clearest
from ..verify.proof import Deployed
from .file_plan import BundlePlan
from .file_proof import CheckpointParity
from .licence import LicenceText
from .model_config import ModelConfig

TASK = "language-model"
_GOLDEN = 8  # examples


@dataclass(frozen=True)
class CheckpointJob:
    """One conversion."""

    source: Path
    plan: BundlePlan
    features: Any  # of texts
    recipe: str
    version: int
    licence: LicenceText | None

    @property
    def config(self) -> ModelConfig:
        return self.plan.config


def embedding_kind(recipe: str) -> str:
    return "float32" if recipe == "float32" else "int8"


def draft(job: CheckpointJob, folder: Path, packages: Sequence[str]) -> Manifest:
    config = job.config
    layers = [layer.experts for layer in config.layers]
    settings = {
        "units": config.units,
        "heads": config.heads,
        "key_heads": config.key_heads,
        "width": config.width,
        "context": config.context,
        "pieces": config.vocabulary,
        "gate": "softmax",
        "rotary_base": config.rotary_base,
        "embedding": embedding_kind(job.recipe),
        "biases": [[0.0] * experts for experts in layers],
        "interpreters": list(packages),
        "renormalize": config.renormalize,
    }
    features = job.features
    dense = [path for path in (EMBEDDING, *job.plan.files) if path.startswith("dense/")]
    return Manifest(
        name=config.name[:200] or config.model_type,
        bundle_version=job.version,
        task=TASK,
        features=FeatureSpec(
            features.kind, features.settings, bundle_files.write_features(folder, features)
        ),
        labels=("text",),
        combine="top",
        top_k=config.top_k,
        temperature=1.0,
        router=None,
        experts=tuple(bundle_files.pin(folder, path) for path in expert_paths(0, layers)),
        layers=tuple(
            Layer(bundle_files.pin(folder, router_path(layer)), experts)
            for layer, experts in enumerate(layers)
        ),
        dense=tuple(bundle_files.pin(folder, path) for path in dense),
        golden=bundle_files.write(folder, GOLDEN, b""),
        model_card=bundle_files.write(folder, MODEL_CARD, b""),
        verified_on={},
        provenance={"base_model": config.name},
        task_spec=TaskSpec(TASK, settings),
    )


def golden(job: CheckpointJob, folder: Path, deployed: Deployed, prompts: Sequence[str]) -> Any:
    """Write the prompts whose continuations are the longest without a near tie."""
    rows = clearest(deployed.arrays["certain"], _GOLDEN)
    return bundle_files.write_golden(
        folder,
        job.features,
        [prompts[row] for row in rows],
        deployed.arrays["scores"][rows].astype(np.float32),
        deployed.arrays["experts"][rows],
        {"continuations": deployed.arrays["continuations"][rows]},
    )


def provenance(job: CheckpointJob, folder: Path, parity: CheckpointParity) -> dict[str, Any]:
    config = job.config
    firsts: dict[Any, list[str]] = {}
    for path, file in job.plan.files.items():
        firsts.setdefault(file.network, []).append(path)
    structures = []
    for paths in firsts.values():  # files of one network have one structure
        (structure,) = summarize({paths[0]: (folder / paths[0]).read_bytes()})
        structures.append({**structure, "files": paths})
    return {
        "edge_experts": VERSION,
        "data": f"checkpoint {config.name}",
        "base_model": config.name,
        "family": config.model_type,
        "licence": None if job.licence is None else job.licence.name,
        "quantization": job.recipe,
        "io": "float",
        "layout": "split",
        "file_parity": parity.to_json(),
        "structures": structures,
    }
