"""Proof of a bundle on its interpreter: parity with Keras, and the costs of its files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from edge_experts.datasets import Split
from edge_experts.errors import ModelError
from edge_experts.features import Features
from edge_experts.format.manifest import Manifest, TaskSpec
from edge_experts.format.npz import npz
from edge_experts.progress import Progress

from ..process.child_process import run_module
from ..process.error_messages import name_of
from .confidence import Unsure


class Parity(Protocol):
    """Comparison of the bundle with Keras, on the validation examples."""

    @property
    def examples(self) -> int: ...

    @property
    def scores(self) -> Mapping[str, float]:
        """Return scores as deployed, by name: those of the task."""

    @property
    def keras_scores(self) -> Mapping[str, float]: ...

    def refuse_beyond(self, max_drop: float | None) -> None:
        """Raise ThresholdError if conversion cost more of the primary score than allowed.

        Args:
            max_drop: points; None: the task's own limit, if it has one.
        """

    def refuse_disagreement(self) -> None:
        """Raise ThresholdError if answers differ too much, whatever the scores."""

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Deployed:
    """Results of the proof process.

    Attributes:
        arrays: of the validation examples and then the test examples, (examples, ...): scores,
            experts, asked, router and the task's own; see proof_process.py.
        costs: bytes in memory, by path.
        verified_on: interpreter, version, python, machine.
        measured: arrays of the task's `measured`.
    """

    arrays: Mapping[str, np.ndarray]
    costs: dict[str, int]
    verified_on: dict[str, str]
    measured: Mapping[str, np.ndarray] = field(default_factory=dict)

    def first(self, count: int) -> dict[str, np.ndarray]:
        """Return the arrays of the first examples, which are the validation examples."""
        return {name: array[:count] for name, array in self.arrays.items()}


@dataclass(frozen=True)
class Proof:
    """Results of the bundle on the interpreter; the arrays are of the validation examples.

    Attributes:
        scores: calibrated, (examples, labels).
        arrays: of `Deployed`: experts, the first that answered, (examples,); asked, the number that
            answered; router, the probability of its first choice and its entropy, (examples, 2).
        test_scores: by name, on `test_examples` examples.
        calibration_error: on the test examples; None if scores are not probabilities.
        task_spec: settings that follow from the deployed answers; None: those of the run.
    """

    parity: Parity
    unsure: Unsure
    temperature: float
    scores: np.ndarray
    arrays: Mapping[str, np.ndarray]
    test_scores: Mapping[str, Any]
    test_examples: int
    calibration_error: float | None = None
    task_spec: TaskSpec | None = None

    @property
    def experts(self) -> np.ndarray:
        return self.arrays["experts"]


def prove(
    job: Path,
    features: Features,
    splits: Mapping[str, Split],
    manifest: Manifest,
    interpreter: str | None = None,
    measured: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> Deployed:
    """Answer the validation and test examples with the device runtime.

    Args:
        interpreter: the package to run them on; None: the default of this machine.
        measured: arrays for the task's `measured`.

    Raises:
        ModelError: the interpreter refuses a file, or crashes on it.
    """
    inputs = [*splits["validation"].inputs, *splits["test"].inputs]
    (job / "inputs.npz").write_bytes(npz(inputs=features.pack(inputs)))
    (job / "measured.npz").write_bytes(npz(**measured))
    steps, seen = len(manifest.models) + -(-len(inputs) // 200), set[str]()
    with Progress("Proving on the interpreter", steps) as progress:

        def tell(step: str) -> None:
            if step not in seen:  # files are opened several times
                seen.add(step)
                progress.step(step)

        run_module(
            "edge_experts.converters.verify.proof_process",
            job,
            tell,
            _failure,
            interpreter=interpreter,
        )
    return Deployed(
        dict(np.load(job / "deployed.npz")),
        costs=json.loads((job / "costs.json").read_text()),
        verified_on=json.loads((job / "verified.json").read_text()),
        measured=dict(np.load(job / "found.npz")),
    )


def _failure(last: str, reason: str) -> ModelError:
    """Create the error, from the process's last line and the reason of its end."""
    what = name_of(last) if last.endswith(".tflite") else f"the bundle, at {last}"
    # Messages of this package begin with the error's class and a file of the temporary folder.
    said = re.sub(r"^edge_experts\.errors\.\w+: (\S+\.tflite: )?", "", reason)
    return ModelError(f"{what} does not run on the interpreter: {said}")
