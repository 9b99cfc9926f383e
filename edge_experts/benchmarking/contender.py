"""Who takes part in a benchmark: what its folder says of it, and how it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..format.manifest import Manifest, read_manifest
from ..runtime import ExpertRuntime
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
    """A bundle, or a network in ONNX Runtime."""

    feature_kind: str
    total_bytes: int  # of all files
    resident_bytes: int  # files of what must be in memory for an answer
    accuracy: Accuracy | None  # None: its maker did not say
    chrf: Chrf | None = None  # likewise, of what translates


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
            accuracy=None if said.accuracy is None else Accuracy(said.accuracy, said.examples),
        )
    manifest = read_manifest(folder)
    return Contender(
        feature_kind=manifest.features.kind,
        total_bytes=sum(entry.bytes for entry in manifest.files),
        resident_bytes=resident_bytes(manifest),
        accuracy=_accuracy(manifest.provenance),
        chrf=_chrf(manifest.provenance),
    )


def opened(folder: Path, *, threads: int) -> ExpertRuntime | onnx.OnnxNetwork:
    """What answers, all of it in memory once it was asked for."""
    if onnx.is_onnx(folder):
        return onnx.OnnxNetwork(folder, threads=threads)
    return ExpertRuntime(folder, threads=threads, strict=True)


def resident_bytes(manifest: Manifest) -> int:
    """Files of what must be in memory to answer: the router and the largest experts asked."""
    router = 0 if manifest.router is None else manifest.router.bytes
    largest = sorted((entry.bytes for entry in manifest.experts), reverse=True)
    asked = len(largest) if manifest.combine == "sum" else manifest.top_k
    return router + sum(largest[:asked])


def _accuracy(provenance: Mapping[str, Any]) -> Accuracy | None:
    accuracy: Any = provenance.get("test_accuracy")
    examples: Any = provenance.get("test_examples")
    known = isinstance(accuracy, int | float) and type(examples) is int
    if known and 0 <= accuracy <= 1 and examples > 0:  # it may say anything
        return Accuracy(float(accuracy), examples)
    return None


def _chrf(provenance: Mapping[str, Any]) -> Chrf | None:
    proven: Any = provenance.get("validation")
    proven = proven if isinstance(proven, dict) else {}
    scores, sentences = proven.get("deployed"), proven.get("examples")
    chrf: Any = scores.get("chrf") if isinstance(scores, dict) else None
    known = isinstance(chrf, int | float) and type(sentences) is int
    if known and 0 <= chrf <= 100 and sentences > 0:  # it may say anything
        return Chrf(float(chrf), sentences)
    return None
