"""A run folder to a bundle: convert every network, prove it on the interpreter, publish it."""

from __future__ import annotations

import json
import platform
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge_experts import __version__, run_folder
from edge_experts.bundle import MODEL_CARD, FileEntry, Manifest
from edge_experts.errors import ModelError, UsageError
from edge_experts.features import Features, encode_all
from edge_experts.folders import npz, refuse_existing, staged
from edge_experts.progress import Progress
from edge_experts.runtime import interpreter

from . import export, parity
from .isolation import conversion_failure, run_module
from .recipes import QUANTIZATIONS

MAX_ACCURACY_DROP = 2.0
_CALIBRATION = 2000  # training examples to draw representative inputs from


@dataclass(frozen=True)
class Conversion:
    """What came of it: the bundle, how it compares with Keras, and how well it does."""

    bundle: Path
    manifest: Manifest
    parity: parity.Parity
    test_accuracy: float
    test_examples: int
    calibration_error: float


def convert(
    run: str | Path,
    out: str | Path,
    *,
    quantization: str = "int8",
    max_accuracy_drop: float = MAX_ACCURACY_DROP,
    bundle_version: int = 1,
    force: bool = False,
) -> Conversion:
    """Convert a finished training to a bundle, and prove it on the interpreter of this machine.

    Every network is converted in a child process; then another one, which never imports
    TensorFlow, opens the result with the device runtime and answers the validation and test
    examples. Only then does the folder `out` appear, whole.

    Args:
        run: the run folder that training wrote.
        out: the bundle folder to write; `force` replaces one that exists.
        quantization: one of `QUANTIZATIONS`.
        max_accuracy_drop: points of validation accuracy that conversion may cost.

    Raises:
        UsageError: an option or a path cannot be used.
        ConversionError: the converter refused a network or died of it.
        ModelError: the interpreter refused a converted file.
        ThresholdError: the accuracy dropped too far; nothing was written.
    """
    run, out = Path(run), Path(out)
    if quantization not in QUANTIZATIONS:
        raise UsageError(f"quantization must be one of {QUANTIZATIONS}, got {quantization!r}")
    description = run_folder.read_run(run)
    features = run_folder.read_features(run, description)
    examples = run_folder.read_examples(run, features)
    verified_on = {
        **interpreter.description(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    refuse_existing(out, force=force)
    with staged(out, force=force) as folder, tempfile.TemporaryDirectory() as temporary:
        job = Path(temporary)
        (job / "bundle").symlink_to(folder)
        _convert_networks(job, run, description, features, examples, quantization)
        for path in sorted(job.glob("*.tflite")) + sorted(job.glob("experts/*.tflite")):
            place = folder / path.relative_to(job)
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(path.read_bytes())
        manifest = export.draft(folder, description, features, bundle_version)
        export.write_manifest(folder, manifest)

        validation, test = examples["validation"], examples["test"]
        scores, experts, costs = _prove(job, features, [*validation.inputs, *test.inputs])
        count = len(validation.targets)
        reference = np.load(job / "reference.npz")
        found = parity.compare(
            np.exp(reference["log_probabilities"]),
            reference["experts"],
            scores[:count],
            experts[:count],
            validation.targets,
        )
        found.refuse_beyond(max_accuracy_drop)

        temperature = parity.fit_temperature(scores[:count], validation.targets)
        scores = parity.at_temperature(scores, temperature)
        golden = export.choose_golden(scores[:count], experts[:count])
        accuracy = float(np.mean(scores[count:].argmax(axis=1) == test.targets))
        error = parity.expected_calibration_error(scores[count:], test.targets)
        manifest = replace(
            export.with_costs(manifest, costs),
            temperature=temperature,
            verified_on=verified_on,
            golden=export.write_golden(
                folder,
                features,
                [validation.inputs[row] for row in golden],
                scores[golden].astype(np.float32),
                experts[golden],
            ),
            provenance={
                "edge_experts": __version__,
                "data": description.origin,
                "quantization": quantization,
                "seed": description.config.get("seed"),
                "versions": dict(description.versions),
                "parity": export.parity_record(found),
                "test_accuracy": round(accuracy, 6),
                "test_examples": len(test.targets),
                "expert_usage": description.metrics.get("expert_usage"),
                "macs": description.metrics.get("macs"),
            },
        )
        card = export.model_card(
            manifest, description, quantization, found, accuracy, len(test.targets), error
        )
        manifest = replace(manifest, model_card=export.write(folder, MODEL_CARD, card.encode()))
        export.write_manifest(folder, manifest)
    return Conversion(out, manifest, found, accuracy, len(test.targets), error)


def _convert_networks(
    job: Path,
    run: Path,
    description: run_folder.Run,
    features: Features,
    examples: dict[str, run_folder.Examples],
    quantization: str,
) -> None:
    """Leave router.tflite, experts/*.tflite and reference.npz in `job`."""
    model = str((run / run_folder.MODEL).resolve())
    (job / "job.json").write_text(json.dumps({"model": model, "quantization": quantization}))
    calibration = examples["train"].inputs[:_CALIBRATION]
    (job / "calibration.npz").write_bytes(npz(**encode_all(features, calibration)))
    (job / "validation.npz").write_bytes(npz(**encode_all(features, examples["validation"].inputs)))
    networks = description.experts + 2  # and the router, and Keras's own answers
    with Progress(f"Converting ({quantization})", networks) as progress:
        run_module(
            "edge_experts.converters.worker", job, progress.step, conversion_failure(quantization)
        )


def _prove(
    job: Path, features: Features, inputs: list[object]
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Scores, experts and memory costs, as the device runtime gives them."""
    (job / "inputs.npz").write_bytes(npz(inputs=features.pack(inputs)))
    steps = 1 + (len(inputs) + 199) // 200
    with Progress("Proving on the interpreter", steps) as progress:
        run_module("edge_experts.converters.proof", job, progress.step, _proof_failure)
    deployed = np.load(job / "deployed.npz")
    costs: dict[str, int] = json.loads((job / "costs.json").read_text())
    return deployed["scores"], deployed["experts"], costs


def _proof_failure(last: str, reason: str) -> ModelError:
    return ModelError(f"the converted files do not run on the interpreter (at {last}): {reason}")


__all__ = ["MAX_ACCURACY_DROP", "Conversion", "FileEntry", "convert"]
