"""The bundle on its interpreter, beside Keras: what it answers, and what its files cost."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_experts.datasets import Split
from edge_experts.errors import ModelError
from edge_experts.features import Features
from edge_experts.format.manifest import Manifest
from edge_experts.format.npz import npz
from edge_experts.progress import Progress

from ..process.child_process import run_module
from ..process.error_messages import name_of
from . import confidence, parity


@dataclass(frozen=True)
class Proof:
    """How the bundle did on the interpreter; the arrays are of the validation examples."""

    parity: parity.Parity
    unsure: confidence.Unsure
    temperature: float
    scores: np.ndarray  # calibrated, (examples, labels)
    experts: np.ndarray  # the first asked, (examples,)
    asked: np.ndarray  # how many, (examples,)
    router: np.ndarray  # its probability of its first choice, and its entropy, (examples, 2)
    test_accuracy: float
    test_examples: int
    calibration_error: float  # on the test examples
    costs: dict[str, int]  # bytes in memory, by path
    verified_on: dict[str, str]  # interpreter, version, python, machine


def prove(
    job: Path,
    features: Features,
    examples: Mapping[str, Split],
    reference: parity.Reference,
    manifest: Manifest,
    interpreter: str | None = None,
) -> Proof:
    """Answer the validation and test examples with the device runtime, and compare with Keras.

    Args:
        interpreter: the package to run them on; None: the one that a user here would meet.

    Raises:
        ModelError: the interpreter refuses a file, or dies of it.
    """
    validation, test = examples["validation"], examples["test"]
    inputs = [*validation.inputs, *test.inputs]
    (job / "inputs.npz").write_bytes(npz(inputs=features.pack(inputs)))
    files = 2 + len(manifest.experts) + (manifest.router is not None)  # the first is opened thrice
    with Progress("Proving on the interpreter", files + -(-len(inputs) // 200)) as progress:
        run_module(
            "edge_experts.converters.verify.proof_process",
            job,
            progress.step,
            _failure,
            interpreter=interpreter,
        )
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
    return Proof(
        parity=found,
        unsure=confidence.measure(manifest, scores[:count], asked[:count], validation.targets),
        temperature=temperature,
        scores=scores[:count],
        experts=experts[:count],
        asked=asked[:count],
        router=deployed["router"][:count],
        test_accuracy=float(np.mean(scores[count:].argmax(axis=1) == test.targets)),
        test_examples=len(test.targets),
        calibration_error=parity.expected_calibration_error(scores[count:], test.targets),
        costs=json.loads((job / "costs.json").read_text()),
        verified_on=json.loads((job / "verified.json").read_text()),
    )


def _failure(last: str, reason: str) -> ModelError:
    """The error, from the last line that the process wrote and the reason of its end."""
    what = name_of(last) if last.endswith(".tflite") else f"the bundle, at {last}"
    # What an error of ours says begins with its class and a file of the temporary folder.
    said = re.sub(r"^edge_experts\.errors\.\w+: (\S+\.tflite: )?", "", reason)
    return ModelError(f"{what} does not run on the interpreter: {said}")
