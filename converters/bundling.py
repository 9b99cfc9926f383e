"""Converted files to a bundle: proven, priced, described, and pinned by a manifest."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts import __version__
from edge_experts.bundle import MODEL_CARD, Manifest
from edge_experts.datasets import Split
from edge_experts.features import Features
from edge_experts.run_folder import Run
from edge_experts.runtime import interpreter

from . import confidence, export
from .base import Base
from .parity import Reference
from .proving import Proof, prove


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

    def add(self, folder: Path, path: str, model: Path) -> None:
        """Put a model in its place."""
        (folder / path).parent.mkdir(exist_ok=True)
        shutil.copyfile(model, folder / path)

    def finish(
        self, folder: Path, job: Path, max_accuracy_drop: float | None
    ) -> tuple[Manifest, Proof]:
        """Prove the models in `folder`, and write all that belongs beside them.

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
        )
        manifest = replace(manifest, provenance=self._provenance(manifest, proof))
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

    def _provenance(self, manifest: Manifest, proof: Proof) -> dict[str, Any]:
        return {
            "edge_experts": __version__,
            "data": self.run.origin,
            **self.made,
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
