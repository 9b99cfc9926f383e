"""A run folder to a bundle: convert every network, prove it on the interpreter, publish it."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts import __version__, run_folder
from edge_experts.bundle import MODEL_CARD, Manifest
from edge_experts.datasets import Split
from edge_experts.errors import ModelError, UsageError
from edge_experts.features import Features, encode_all
from edge_experts.folders import npz, staged
from edge_experts.progress import Progress
from edge_experts.runtime import interpreter

from . import base as bases
from . import confidence, export, parity
from .isolation import conversion_failure, run_module
from .recipes import LAYOUTS, QUANTIZATIONS

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
    unsure: confidence.Unsure


def convert(
    run: str | Path,
    out: str | Path,
    *,
    quantization: str = "int8",
    layout: str = "split",
    top_k: int | None = None,
    second_share: float | None = None,
    abstain_below: float | None = None,
    max_accuracy_drop: float | None = None,
    base: str | Path | None = None,
    bundle_version: int | None = None,
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
        layout: "split", a file for the router and one for each expert; or, to measure that
            against, all of them in one file: "gated", which computes every expert, and
            "nested-if", which branches to one with TFLite's IF.
        top_k: how many experts answer, instead of what the training says.
        second_share: ask the router's second choice too, where the router is unsure of its first:
            for about this share of inputs, by the validation examples. A share is what it costs;
            the router's own probability, which the manifest keeps as `second_below`, says little.
        abstain_below: abstain where the score, a calibrated probability, is under this.
        max_accuracy_drop: points of validation accuracy that conversion may cost; 2 by default,
            and then only where so few examples could not have lost them by chance.
        base: the bundle of the run that this one extends: files of networks that are still the
            same are copied from it, and the manifest says what changed.
        bundle_version: of what you publish; one above the base's by default, or 1.

    Raises:
        UsageError: an option or a path cannot be used.
        ConversionError: the converter refused a network or died of it.
        ModelError: the interpreter refused a converted file.
        ThresholdError: the accuracy dropped too far; nothing was written.
    """
    run, out = Path(run), Path(out)
    if quantization not in QUANTIZATIONS:
        raise UsageError(f"quantization must be one of {QUANTIZATIONS}, got {quantization!r}")
    if layout not in LAYOUTS:
        raise UsageError(f"layout must be one of {LAYOUTS}, got {layout!r}")
    for name, value in (("second_share", second_share), ("abstain_below", abstain_below)):
        if value is not None and not 0 <= value <= 1:
            raise UsageError(f"{name} must be from 0 to 1, got {value}")
    description = run_folder.read_run(run)
    if top_k is not None:
        description = _asking(description, top_k)
    if layout != "split":
        description = _in_one_file(description, layout)
    if second_share is not None:
        _refuse_second(description)
    update = None if base is None else bases.read(base, description.experts, quantization, layout)
    version = bundle_version or 1 if update is None else update.next_version(bundle_version)
    features = run_folder.read_features(run, description)
    examples = run_folder.read_examples(run, features)
    verified_on = {
        **interpreter.description(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    with staged(out, force=force) as folder, tempfile.TemporaryDirectory() as temporary:
        job = Path(temporary)
        (job / "bundle").symlink_to(folder)
        if update is not None:
            update.offer(job)
        order = {
            "quantization": quantization,
            "layout": layout,
            "top_k": description.top_k,
            "second": second_share is not None,
        }
        reference = _convert_networks(job, run, order, description, features, examples)
        _move_models(job, folder)
        manifest = replace(
            export.draft(folder, description, features, version),
            second_below=reference.second_below(second_share),
            abstain_below=abstain_below,
        )
        export.write_manifest(folder, manifest)
        proof = _prove(job, features, examples, reference, manifest)
        proof.parity.refuse_beyond(max_accuracy_drop)
        rows = export.choose_golden(
            proof.scores, proof.experts, proof.asked, reference.distance(manifest.second_below)
        )
        manifest = replace(
            export.with_costs(manifest, proof.costs),
            temperature=proof.temperature,
            verified_on=verified_on,
            golden=export.write_golden(
                folder,
                features,
                [examples["validation"].inputs[row] for row in rows],
                proof.scores[rows].astype(np.float32),
                proof.experts[rows],
            ),
            provenance={
                "edge_experts": __version__,
                "data": description.origin,
                "quantization": quantization,
                "layout": layout,
                "networks": json.loads((job / bases.NETWORKS).read_text()),
                **({} if update is None else {"changes": update.changes(manifest)}),
                "seed": description.config.get("seed"),
                "versions": dict(description.versions),
                "parity": export.parity_record(proof.parity),
                "test_accuracy": round(proof.test_accuracy, 6),
                "test_examples": proof.test_examples,
                "calibration_error": round(proof.calibration_error, 6),
                "expert_usage": description.metrics.get("expert_usage"),
                "macs": confidence.macs(description, proof.unsure.asked_second),
                "validation": proof.unsure.to_json(),
            },
        )
        card = export.model_card(manifest, description, proof.parity, proof.unsure).encode()
        manifest = replace(manifest, model_card=export.write(folder, MODEL_CARD, card))
        export.write_manifest(folder, manifest)
    return Conversion(
        out,
        manifest,
        proof.parity,
        proof.test_accuracy,
        proof.test_examples,
        proof.calibration_error,
        proof.unsure,
    )


@dataclass(frozen=True)
class _Proof:
    """How the bundle did on the interpreter; the arrays are of the validation examples."""

    parity: parity.Parity
    unsure: confidence.Unsure
    temperature: float
    scores: np.ndarray
    experts: np.ndarray
    asked: np.ndarray
    test_accuracy: float
    test_examples: int
    calibration_error: float
    costs: dict[str, int]


def _convert_networks(
    job: Path,
    run: Path,
    order: Mapping[str, Any],
    description: run_folder.Run,
    features: Features,
    examples: dict[str, Split],
) -> parity.Reference:
    """Leave router.tflite and experts/*.tflite in `job`."""
    model = str((run / run_folder.MODEL).resolve())
    (job / "job.json").write_text(json.dumps({"model": model, **order}))
    calibration = examples["train"].inputs[:_CALIBRATION]
    (job / "calibration.npz").write_bytes(npz(**encode_all(features, calibration)))
    (job / "validation.npz").write_bytes(npz(**encode_all(features, examples["validation"].inputs)))
    networks = description.experts + 2  # and the router, and Keras's own answers
    failure = conversion_failure(order["quantization"])
    with Progress(f"Converting ({order['quantization']})", networks) as progress:
        run_module("edge_experts.converters.worker", job, progress.step, failure)
    made = np.load(job / "reference.npz")
    return parity.Reference(
        np.exp(made["log_probabilities"]),
        made["experts"],
        made["confidence"],
        np.exp(made["second"]) if "second" in made else None,
    )


def _asking(description: run_folder.Run, top_k: int) -> run_folder.Run:
    """The run with so many experts asked."""
    if description.combine != "top":
        raise UsageError("top_k holds for models with a router, this one sums all its experts")
    if not 1 <= top_k <= description.experts:
        raise UsageError(f"top_k must be from 1 to {description.experts} (experts), got {top_k}")
    return replace(description, top_k=top_k)


def _refuse_second(description: run_folder.Run) -> None:
    """Raises UsageError where no second expert can be asked."""
    if description.experts == 1 or description.combine != "top" or description.top_k != 1:
        raise UsageError(
            "second_share holds for models whose router picks one expert of several, each in a "
            "file of its own; where more are always asked, pass top_k 1 with it"
        )


def _in_one_file(description: run_folder.Run, layout: str) -> run_folder.Run:
    """The run as one of a network without a router."""
    if description.experts == 1 or description.combine != "top" or description.top_k != 1:
        raise UsageError(
            f"layout {layout!r} holds for models whose router picks one expert of several"
        )
    macs = dict(description.metrics.get("macs", {}))
    if macs and layout == "gated":
        macs["active"] = macs["router"] + description.experts * macs["expert"]
    return replace(
        description,
        name=f"{description.name}-{layout}",
        experts=1,
        metrics={**description.metrics, "macs": macs, "expert_usage": []},
    )


def _move_models(job: Path, folder: Path) -> None:
    for path in [*job.glob("*.tflite"), *job.glob("experts/*.tflite")]:
        place = folder / path.relative_to(job)
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, place)


def _prove(
    job: Path,
    features: Features,
    examples: dict[str, Split],
    reference: parity.Reference,
    manifest: Manifest,
) -> _Proof:
    """Answer the validation and test examples with the device runtime, and compare with Keras."""
    validation, test = examples["validation"], examples["test"]
    inputs = [*validation.inputs, *test.inputs]
    (job / "inputs.npz").write_bytes(npz(inputs=features.pack(inputs)))
    with Progress("Proving on the interpreter", 1 + -(-len(inputs) // 200)) as progress:
        run_module("edge_experts.converters.proof", job, progress.step, _proof_failure)
    deployed = np.load(job / "deployed.npz")
    count = len(validation.targets)
    scores, experts, asked = (deployed[name] for name in ("scores", "experts", "asked"))
    found = parity.compare(
        reference.as_deployed(manifest.second_below),
        reference.experts,
        scores[:count],
        experts[:count],
        validation.targets,
    )
    temperature = parity.fit_temperature(scores[:count], validation.targets)
    scores = parity.at_temperature(scores, temperature)
    return _Proof(
        parity=found,
        unsure=confidence.measure(manifest, scores[:count], asked[:count], validation.targets),
        temperature=temperature,
        scores=scores[:count],
        experts=experts[:count],
        asked=asked[:count],
        test_accuracy=float(np.mean(scores[count:].argmax(axis=1) == test.targets)),
        test_examples=len(test.targets),
        calibration_error=parity.expected_calibration_error(scores[count:], test.targets),
        costs=json.loads((job / "costs.json").read_text()),
    )


def _proof_failure(last: str, reason: str) -> ModelError:
    return ModelError(f"the converted files do not run on the interpreter (at {last}): {reason}")
