"""Converted files to a bundle: proven, priced, described, and pinned by a manifest."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts import __version__
from edge_experts.archive import pack, packed_bytes
from edge_experts.bundle import MANIFEST, MODEL_CARD, FileEntry, Manifest, expert_path
from edge_experts.datasets import Split
from edge_experts.features import Features
from edge_experts.run_folder import Run
from edge_experts.runtime import interpreter

from . import confidence, export
from .base import Base
from .deployed import describe
from .parity import Reference
from .proving import Proof, prove

_MANIFEST = 4000  # bytes of a manifest and a model card, before they are known


@dataclass(frozen=True)
class Bundling:
    """All of a bundle but its models.

    Attributes:
        examples: the "validation" and "test" examples that it must answer.
        reference: what Keras answers to the validation examples.
        made: what the manifest says of how its models were made.
        update: the bundle that this one is an update of.
    """

    run: Run
    features: Features
    examples: Mapping[str, Split]
    reference: Reference
    version: int
    second_share: float | None
    abstain_below: float | None
    made: Mapping[str, Any]
    update: Base | None = None

    @property
    def experts(self) -> frozenset[str]:
        """The paths of the experts' files."""
        return frozenset(expert_path(index) for index in range(self.run.experts))

    def add(self, folder: Path, path: str, model: Path) -> None:
        """Put a model in its place."""
        (folder / path).parent.mkdir(exist_ok=True)
        shutil.copyfile(model, folder / path)

    def beside_models(self, job: Path, *, compressed: bool) -> int:
        """About how many bytes a bundle takes beside its models."""
        with tempfile.TemporaryDirectory(dir=job) as folder:
            place = Path(folder)
            inputs = list(self.examples["validation"].inputs[: export.GOLDEN_EXAMPLES])
            scores = self.reference.scores[: len(inputs)].astype(np.float32)
            golden = export.write_golden(
                place, self.features, inputs, scores, np.zeros(len(inputs), int)
            )
            features = export.write_features(place, self.features)
            files = [entry for entry in (golden, features) if entry is not None]
            return _MANIFEST + sum(_bytes(place, entry, compressed) for entry in files)

    def size(self, folder: Path, manifest: Manifest, *, compressed: bool) -> int:
        """Bytes of the finished bundle, on disk or as an archive."""
        if compressed:
            with tempfile.NamedTemporaryFile() as file:
                return pack(folder, Path(file.name))
        return (folder / MANIFEST).stat().st_size + sum(entry.bytes for entry in manifest.files)

    def finish(
        self,
        folder: Path,
        job: Path,
        max_accuracy_drop: float | None,
        made: Mapping[str, Any] | None = None,
    ) -> tuple[Manifest, Proof]:
        """Prove the models in `folder`, and write all that belongs beside them.

        Args:
            made: what else the manifest says of how they were made.

        Raises:
            ModelError: the interpreter refuses a model.
            ThresholdError: the accuracy dropped too far.
        """
        (job / "bundle").unlink(missing_ok=True)
        (job / "bundle").symlink_to(folder)
        manifest = replace(
            export.draft(folder, self.run, self.features, self.version),
            second_below=self.reference.second_below(self.second_share),
            abstain_below=self.abstain_below,
        )
        export.write_manifest(folder, manifest)
        proof = prove(job, self.features, self.examples, self.reference, manifest)
        proof.parity.refuse_beyond(max_accuracy_drop)
        manifest = replace(
            export.with_costs(manifest, proof.costs),
            temperature=proof.temperature,
            verified_on={
                **interpreter.description(),
                "python": platform.python_version(),
                "machine": platform.machine(),
            },
            golden=self._golden(folder, manifest, proof),
            reference=describe(
                proof.scores,
                len(manifest.experts),
                proof.experts if manifest.router is not None else None,
                proof.router,
            ),
        )
        manifest = replace(manifest, provenance=self._provenance(manifest, proof, made or {}))
        card = export.model_card(manifest, self.run, proof.parity, proof.unsure).encode()
        manifest = replace(manifest, model_card=export.write(folder, MODEL_CARD, card))
        export.write_manifest(folder, manifest)
        return manifest, proof

    def _golden(self, folder: Path, manifest: Manifest, proof: Proof) -> Any:
        distance = self.reference.distance(manifest.second_below)
        rows = export.choose_golden(proof.scores, proof.experts, proof.asked, distance)
        return export.write_golden(
            folder,
            self.features,
            [self.examples["validation"].inputs[row] for row in rows],
            proof.scores[rows].astype(np.float32),
            proof.experts[rows],
        )

    def _provenance(
        self, manifest: Manifest, proof: Proof, made: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {
            "edge_experts": __version__,
            "data": self.run.origin,
            **self.made,
            **made,
            **({} if self.update is None else {"changes": self.update.changes(manifest)}),
            "seed": self.run.config.get("seed"),
            "versions": dict(self.run.versions),
            "parity": export.parity_record(proof.parity),
            "test_accuracy": round(proof.test_accuracy, 6),
            "test_examples": proof.test_examples,
            "calibration_error": round(proof.calibration_error, 6),
            "expert_usage": self.run.metrics.get("expert_usage"),
            "macs": confidence.macs(self.run, proof.unsure.asked_second),
            "validation": proof.unsure.to_json(),
        }


def _bytes(folder: Path, entry: FileEntry, compressed: bool) -> int:
    return (
        packed_bytes(entry.path, (folder / entry.path).read_bytes()) if compressed else entry.bytes
    )
