"""Contenders of a benchmark: the description in a folder, and the runtime that opens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..format.manifest import Manifest
from ..format.manifest_parser import read_manifest
from ..runtime import ExpertRuntime
from ..runtime.tasks import task_class
from ..runtime.tasks.base import DeployedScores
from . import onnx, score
from .score import Accuracy, Chrf, Score


@dataclass(frozen=True)
class Contender:
    """Bundle, or network in ONNX Runtime."""

    feature_kind: str
    total_bytes: int  # of all files
    resident_bytes: int  # files that must be in memory for an answer
    accuracy: Accuracy | None  # None: not stated
    chrf: Chrf | None = None  # None if the bundle generates no text
    scores: dict[str, Score] = field(default_factory=dict)  # by the names of the task


def read(folder: Path) -> Contender:
    """Read the description of a folder.

    Raises:
        BundleError: it is neither a bundle nor a network in ONNX Runtime.
    """
    if onnx.is_onnx(folder):
        said = onnx.read(folder)
        told = said.scores if said.accuracy is None else {"accuracy": said.accuracy}
        numbers = {name: value for name, value in told.items() if type(value) in (int, float)}
        deployed: DeployedScores | None = DeployedScores(numbers, said.examples)
        return Contender(
            feature_kind=said.feature_kind,
            total_bytes=sum(path.stat().st_size for path in onnx.files(folder)),
            resident_bytes=(folder / onnx.NETWORK).stat().st_size,
            accuracy=score.accuracy(deployed),
            scores=score.others(deployed),
        )
    manifest = read_manifest(folder)
    deployed = task_class(manifest).deployed(manifest)
    return Contender(
        feature_kind=manifest.features.kind,
        total_bytes=sum(entry.bytes for entry in manifest.files),
        resident_bytes=resident_bytes(manifest),
        accuracy=score.accuracy(deployed),
        chrf=score.chrf(deployed),
        scores=score.others(deployed),
    )


def opened(
    folder: Path, *, threads: int, routing: Mapping[str, Any] = MappingProxyType({})
) -> ExpertRuntime | onnx.OnnxNetwork:
    """Open a folder's runtime; everything stays in memory after its first use.

    Args:
        routing: options of `RoutingOptions`, of a bundle.
    """
    if onnx.is_onnx(folder):
        return onnx.OnnxNetwork(folder, threads=threads)
    return ExpertRuntime(folder, threads=threads, strict=True, **routing)


def resident_bytes(manifest: Manifest) -> int:
    """Compute the files in memory for an answer: the largest experts, and what all need."""
    total = sum(part.bytes for part in (*manifest.routers, *manifest.dense))
    for _, places in manifest.routed:
        sizes = sorted(manifest.experts[place].bytes for place in places)
        total += sum(sizes if manifest.combine == "sum" else sizes[-manifest.top_k :])
    return total
