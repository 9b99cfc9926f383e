"""The bundle on its interpreter, beside Keras: what it answers, and what its files cost."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edge_experts.datasets import Split
from edge_experts.errors import ModelError
from edge_experts.features import Features
from edge_experts.format.manifest import Manifest
from edge_experts.format.npz import npz
from edge_experts.progress import Progress

from ..process.child_process import run_module
from ..process.error_messages import name_of
from .confidence import Unsure


class Parity(Protocol):
    """The bundle beside Keras, on the validation examples."""

    @property
    def examples(self) -> int: ...

    @property
    def scores(self) -> Mapping[str, float]:
        """Scores as deployed, by name: those of the task."""

    @property
    def keras_scores(self) -> Mapping[str, float]: ...

    def refuse_beyond(self, max_drop: float | None) -> None:
        """Raises ThresholdError where conversion cost more of the primary score than allowed.

        Args:
            max_drop: points; None: the task's own limit, if it has one.
        """

    def refuse_disagreement(self) -> None:
        """Raises ThresholdError where answers differ too much, whatever the scores are."""

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Deployed:
    """Results of the proof process.

    Attributes:
        arrays: of the validation examples and then the test examples, (examples, ...): scores,
            experts, asked, router and the task's own; see proof_process.py.
        costs: bytes in memory, by path.
        verified_on: interpreter, version, python, machine.
    """

    arrays: Mapping[str, np.ndarray]
    costs: dict[str, int]
    verified_on: dict[str, str]

    def first(self, count: int) -> dict[str, np.ndarray]:
        """The arrays of the first examples, which are the validation examples."""
        return {name: array[:count] for name, array in self.arrays.items()}


@dataclass(frozen=True)
class Proof:
    """Results of the bundle on the interpreter; the arrays are of the validation examples.

    Attributes:
        scores: calibrated, (examples, labels).
        arrays: of `Deployed`: experts, the first asked, (examples,); asked, how many; router, the
            probability of its first choice and its entropy, (examples, 2).
        test_scores: by name, on `test_examples` examples.
        calibration_error: on the test examples; None where scores are no probabilities.
    """

    parity: Parity
    unsure: Unsure
    temperature: float
    scores: np.ndarray
    arrays: Mapping[str, np.ndarray]
    test_scores: Mapping[str, Any]
    test_examples: int
    calibration_error: float | None = None

    @property
    def experts(self) -> np.ndarray:
        return self.arrays["experts"]


def prove(
    job: Path,
    features: Features,
    splits: Mapping[str, Split],
    manifest: Manifest,
    interpreter: str | None = None,
) -> Deployed:
    """Answer the validation and test examples with the device runtime.

    Args:
        interpreter: the package to run them on; None: the one that a user here would meet.

    Raises:
        ModelError: the interpreter refuses a file, or dies of it.
    """
    inputs = [*splits["validation"].inputs, *splits["test"].inputs]
    (job / "inputs.npz").write_bytes(npz(inputs=features.pack(inputs)))
    files = 2 + len(manifest.models)  # the first is opened thrice
    with Progress("Proving on the interpreter", files + -(-len(inputs) // 200)) as progress:
        run_module(
            "edge_experts.converters.verify.proof_process",
            job,
            progress.step,
            _failure,
            interpreter=interpreter,
        )
    return Deployed(
        dict(np.load(job / "deployed.npz")),
        costs=json.loads((job / "costs.json").read_text()),
        verified_on=json.loads((job / "verified.json").read_text()),
    )


def _failure(last: str, reason: str) -> ModelError:
    """The error, from the last line that the process wrote and the reason of its end."""
    what = name_of(last) if last.endswith(".tflite") else f"the bundle, at {last}"
    # What an error of ours says begins with its class and a file of the temporary folder.
    said = re.sub(r"^edge_experts\.errors\.\w+: (\S+\.tflite: )?", "", reason)
    return ModelError(f"{what} does not run on the interpreter: {said}")
