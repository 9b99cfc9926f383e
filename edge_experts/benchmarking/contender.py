"""Who takes part in a benchmark: what its folder says of it, and how it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..format.manifest import Manifest, read_manifest
from ..runtime import ExpertRuntime
from ..runtime.tasks import task_class
from ..runtime.tasks.base import Deployed
from . import onnx


@dataclass(frozen=True)
class Accuracy:
    """As deployed: of so many test examples, where the files were made."""

    accuracy: float
    examples: int


@dataclass(frozen=True)
class Chrf:
    """From 0 to 100, as deployed: of so many validation sentences, where the files were made."""

    chrf: float
    sentences: int


@dataclass(frozen=True)
class Contender:
    """A bundle, or a network in ONNX Runtime.

    Attributes:
        accuracy, chrf, scores: None where its maker did not say; `scores` are those of tasks that
            have others than the first two.
    """

    feature_kind: str
    total_bytes: int  # of all files
    resident_bytes: int  # files of what must be in memory for an answer
    accuracy: Accuracy | None
    chrf: Chrf | None = None
    scores: Deployed | None = None


def read(folder: Path) -> Contender:
    """What a folder says.

    Raises:
        BundleError: it is neither.
    """
    if onnx.is_onnx(folder):
        said = onnx.read(folder)
        return Contender(
            feature_kind=said.feature_kind,
            total_bytes=sum(path.stat().st_size for path in onnx.files(folder)),
            resident_bytes=(folder / onnx.NETWORK).stat().st_size,
            accuracy=Accuracy(said.accuracy, said.examples),
        )
    manifest = read_manifest(folder)
    deployed = task_class(manifest).deployed(manifest)
    scores, examples = ({}, 0) if deployed is None else deployed
    accuracy, chrf = scores.get("accuracy"), scores.get("chrf")
    others = accuracy is None and chrf is None
    return Contender(
        feature_kind=manifest.features.kind,
        total_bytes=sum(entry.bytes for entry in manifest.files),
        resident_bytes=resident_bytes(manifest),
        accuracy=None if accuracy is None else Accuracy(accuracy, examples),
        chrf=None if chrf is None else Chrf(chrf, examples),
        scores=deployed if others else None,
    )


def opened(folder: Path, *, threads: int) -> ExpertRuntime | onnx.OnnxNetwork:
    """What answers, all of it in memory once it was asked for."""
    if onnx.is_onnx(folder):
        return onnx.OnnxNetwork(folder, threads=threads)
    return ExpertRuntime(folder, threads=threads, strict=True)


def resident_bytes(manifest: Manifest) -> int:
    """Files of what must be in memory to answer: routers and the largest experts that they pick."""
    total = sum(router.bytes for router in manifest.routers)
    for _, places in manifest.routed:
        sizes = sorted(manifest.experts[place].bytes for place in places)
        total += sum(sizes if manifest.combine == "sum" else sizes[-manifest.top_k :])
    return total
