"""Assembly of a bundle: proves converted files, measures costs, writes card and manifest."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.features import Features
from edge_experts.features.fields import in_words
from edge_experts.format.archive import pack, packed_bytes
from edge_experts.format.manifest import (
    CONTRACT,
    MANIFEST,
    MODEL_CARD,
    MODEL_SUFFIX,
    FileEntry,
    Manifest,
)
from edge_experts.run_folder import Run
from edge_experts.version import VERSION

from ..network_files import File
from ..options import ConvertOptions
from ..targets.microcontroller import MICROCONTROLLER, measure
from ..tasks import ConversionTask
from ..tasks.conversion_task import GOLDEN_EXAMPLES, RunExamples
from ..verify.drift_counts import describe
from ..verify.keras_reference import KerasReference
from ..verify.proof import Proof, prove
from . import bundle_files
from .base_bundle import Base
from .structures import summarize

# Estimated bytes of a manifest and a model card, on disk and in an archive. Low estimates: a search
# measures them once a choice is written, but refuses at once what cannot fit.
_MANIFEST = {False: 4000, True: 2000}
_SHOWN = 40  # inputs in the model card, of which a table has one for each column
_MICRO_EXAMPLES = 16  # examples that each file answers in TensorFlow Lite Micro


@dataclass(frozen=True)
class Bundling:
    """Everything of a bundle except its models.

    Attributes:
        reference: answers of Keras to the validation examples.
        seen: an .npz file of the experts' inputs for the calibration set.
        update: the bundle that this one updates.
        trained_rows: contents of the run's files of hashes.
    """

    task: ConversionTask
    features: Features
    examples: RunExamples
    reference: KerasReference
    seen: Path
    options: ConvertOptions
    update: Base | None = None
    trained_rows: Sequence[bytes] = ()

    @property
    def run(self) -> Run:
        return self.task.run

    @property
    def interpreter(self) -> str | None:
        """Interpreter package to run models on; None for the default of this machine.

        It is the target's package if that is for Python runtimes and installed.
        """
        target = self.options.place
        usable = target is not None and target is not MICROCONTROLLER and target.installed
        return target.package if target is not None and usable else None

    def check(self, content: bytes, name: str) -> None:
        """Raise UnsuitableError if the target does not support a file of the network `name`."""
        if self.options.place is not None:
            self.options.place.check(content, name)

    def add(self, folder: Path, path: str, model: Path) -> None:
        """Add a model to the bundle's folder."""
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(model, folder / path)

    def beside_models(self, job: Path, *, compressed: bool) -> int:
        """Estimate the bytes of a bundle beside its models."""
        with tempfile.TemporaryDirectory(dir=job) as folder:
            place = Path(folder)
            inputs = list(self.examples.splits["validation"].inputs[:GOLDEN_EXAMPLES])
            scores = self.reference.scores[: len(inputs)].astype(np.float32)
            golden = bundle_files.write_golden(
                place, self.features, inputs, scores, np.zeros(len(inputs), int)
            )
            features = bundle_files.write_features(place, self.features)
            rows = bundle_files.write_rows(place, self.features, self.trained_rows)
            files = [entry for entry in (golden, features, *rows) if entry is not None]
            return _MANIFEST[compressed] + sum(_bytes(place, entry, compressed) for entry in files)

    def size(self, folder: Path, manifest: Manifest, *, compressed: bool) -> int:
        """Compute the bytes of the finished bundle, on disk or as an archive."""
        if compressed:
            with tempfile.NamedTemporaryFile() as file:
                return pack(folder, Path(file.name))
        return (folder / MANIFEST).stat().st_size + sum(entry.bytes for entry in manifest.files)

    def finish(self, folder: Path, job: Path, made: Mapping[str, Any]) -> tuple[Manifest, Proof]:
        """Prove the models in `folder`, and write all other files of the bundle.

        Args:
            made: the manifest's description of how each of them was made.

        Raises:
            ModelError: the interpreter refuses a model.
            ThresholdError: the accuracy dropped too far.
        """
        (job / "bundle").unlink(missing_ok=True)
        (job / "bundle").symlink_to(folder)
        task, options, splits = self.task, self.options, self.examples.splits
        manifest = replace(
            bundle_files.draft(
                folder,
                self.run,
                self.features,
                self._version,
                task.layers,
                task.dense,
                self.trained_rows,
            ),
            second_below=self.reference.second_below(options.second_share),
            abstain_below=options.abstain_below,
            **task.manifest_parts(options, self.reference),
        )
        bundle_files.write_manifest(folder, manifest)
        measured = task.measured(self.reference)
        first, *others = task.interpreters(self.interpreter)
        for package in [*others, first]:
            deployed = prove(job, self.features, splits, manifest, package, measured)
            proof = task.judge(self.reference, deployed, manifest, splits)
            proof.parity.refuse_beyond(options.max_accuracy_drop)
        arenas, on_target = self._on_target(folder, job, manifest)
        manifest = replace(
            bundle_files.with_costs(manifest, deployed.costs, arenas),
            temperature=proof.temperature,
            task_spec=proof.task_spec or manifest.task_spec,
            verified_on={**deployed.verified_on, **on_target},
            golden=self._golden(folder, manifest, proof),
            reference=describe(manifest, proof.scores, proof.arrays),
        )
        provenance = self._provenance(folder, manifest, proof, made)
        manifest = replace(manifest, provenance=provenance)
        card = (task.card(manifest, proof) + _inputs(self.features)).encode()
        manifest = replace(manifest, model_card=bundle_files.write(folder, MODEL_CARD, card))
        bundle_files.write_manifest(folder, manifest)
        return manifest, proof

    @property
    def _version(self) -> int:
        version = self.options.bundle_version
        return version or 1 if self.update is None else self.update.next_version(version)

    def _on_target(
        self, folder: Path, job: Path, manifest: Manifest
    ) -> tuple[dict[str, int], dict[str, Any]]:
        """Measure the arenas of files, by path, and describe the target for the manifest."""
        target = self.options.place
        if target is None:
            return {}, {}
        if target is not MICROCONTROLLER:
            return {}, {"target": target.name, "run_on_target": target.installed}
        paths = {path: File(path, "").network for path in models(manifest)}
        with np.load(self.seen) as seen:
            examples = {name: seen[name][:_MICRO_EXAMPLES] for name in seen}
        found = measure(folder, paths, examples, job)
        return {path: one.arena_bytes for path, one in found.files.items()}, {
            "target": target.name,
            "run_on_target": True,
            target.package: found.version,
            **self.task.on_microcontroller(found.files),
        }

    def _golden(self, folder: Path, manifest: Manifest, proof: Proof) -> FileEntry:
        golden = self.task.golden(self.reference, proof, manifest)
        return bundle_files.write_golden(
            folder,
            self.features,
            [self.examples.splits["validation"].inputs[row] for row in golden.rows],
            proof.scores[golden.rows].astype(np.float32),
            proof.experts[golden.rows],
            golden.arrays,
        )

    def _provenance(
        self, folder: Path, manifest: Manifest, proof: Proof, made: Mapping[str, Any]
    ) -> dict[str, Any]:
        options = self.options
        return {
            "edge_experts": VERSION,
            "data": self.run.origin,
            "quantization": options.quantization,
            "io": options.io,
            "layout": options.layout,
            **made,
            **_models(folder, manifest),
            **({} if self.update is None else {"changes": self.update.changes(manifest)}),
            "structures": summarize(
                {path: (folder / path).read_bytes() for path in models(manifest)}
            ),
            "seed": self.run.config.get("seed"),
            **({} if self.run.columns is None else {"columns": dict(self.run.columns)}),
            "versions": dict(self.run.versions),
            **self.task.provenance(proof),
        }


def models(manifest: Manifest) -> list[str]:
    """List the paths of the bundle's TFLite files."""
    return [entry.path for entry in manifest.models if entry.path.endswith(MODEL_SUFFIX)]


def _inputs(features: Features) -> str:
    """Write the model card's section on the contract of each input, if there is one."""
    if CONTRACT not in features.settings:
        return ""
    found = features.inputs
    lines = [f"- {in_words(field)}" for field in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"- and {len(found) - _SHOWN} more, which `edge-experts inspect --json` lists")
    return "\n## Inputs\n" + "\n".join(lines) + "\n"


def _bytes(folder: Path, entry: FileEntry, compressed: bool) -> int:
    return (
        packed_bytes(entry.path, (folder / entry.path).read_bytes()) if compressed else entry.bytes
    )


def _models(folder: Path, manifest: Manifest) -> dict[str, int]:
    """Compute the bytes of all models, on disk and in an archive, where zeros are compressed."""
    return {
        "models_bytes": sum(entry.bytes for entry in manifest.models),
        "models_packed_bytes": sum(
            _bytes(folder, entry, compressed=True) for entry in manifest.models
        ),
    }
