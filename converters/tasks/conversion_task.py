"""Interface of a task's conversion: everything that differs between tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from edge_experts.datasets import Split
from edge_experts.features import Features
from edge_experts.format.manifest import Manifest
from edge_experts.run_folder import Run

from ..targets import Target
from ..targets.microcontroller import MicroResult
from ..verify.keras_reference import KerasReference
from ..verify.proof import Deployed, Proof
from .c_answers import CAnswer

GOLDEN_EXAMPLES = 32

# Options that every task supports; each task lists its others.
COMMON = frozenset(
    {"quantization", "max_accuracy_drop", "target", "bundle_version", "processes", "cache", "force"}
)
# Of tasks whose experts output one row of numbers, alone or in one file with their router.
OF_ROWS = frozenset(
    {"io", "layout", "top_k", "second_share", "size_budget", "size_budget_compressed"}
    | {"base", "compress", "data", "frontier", "c_source"}
)


@dataclass(frozen=True)
class RunExamples:
    """Examples of a run folder, as its conversion uses them.

    Attributes:
        calibration: the calibration set by name, (examples, ...).
        validation: inputs that Keras answers for comparison, by name, (examples, ...).
        splits: "validation" and "test": the examples that the bundle answers.
        files: further files of the worker's job, by name.
    """

    calibration: Mapping[str, np.ndarray]
    validation: Mapping[str, np.ndarray]
    splits: Mapping[str, Split]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class GoldenRows:
    """Golden examples: rows of the validation examples, and the task's own arrays of these rows."""

    rows: np.ndarray
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


class ConversionTask(Protocol):
    """Part of a conversion that depends on the task.

    Attributes:
        name: its key in the registry.
        networks: "module:class" for worker processes; see `networks.Networks`.
        options: supported fields of `ConvertOptions`, and options of the command line.
        recipes: values of `quantization`.
        primary: the score for `max_accuracy_drop` and size budgets.
        run: the run as the bundle describes it.
        layers: experts of each layer; empty if one router, or none, picks from all experts.
        dense: paths of the dense parts.
    """

    name: str
    networks: str
    options: frozenset[str]
    recipes: tuple[str, ...]
    primary: str
    run: Run
    layers: tuple[int, ...]
    dense: tuple[str, ...]

    def __init__(self, run: Run, features: Features): ...

    def require(self) -> None:
        """Raise MissingExtraError if a package that the comparison needs is missing."""

    def refuse_target(self, target: Target) -> None:
        """Raise UnsuitableError if the target cannot run files of this task."""

    def settings(self, options: Any) -> Mapping[str, Any]:
        """Return options of only this task that change the bytes of files; see `Order`."""

    def examples(self, splits: Mapping[str, Split]) -> RunExamples:
        """Select the examples of a run folder for this conversion."""

    def interpreters(self, chosen: str | None) -> Sequence[str | None]:
        """Return the packages to prove the bundle on; the first one's answers are published.

        Args:
            chosen: the target's, or None for the default of this machine.
        """

    def manifest_parts(self, options: Any, reference: KerasReference) -> Mapping[str, Any]:
        """Return fields of the manifest that only this task has."""

    def measured(self, reference: KerasReference) -> Mapping[str, np.ndarray]:
        """Return arrays for `runtime.tasks.Task.measured`; none if answers are all to compare."""

    def judge(
        self,
        reference: KerasReference,
        deployed: Deployed,
        manifest: Manifest,
        splits: Mapping[str, Split],
    ) -> Proof:
        """Compare answers of the bundle with those of Keras."""

    def golden(self, reference: KerasReference, proof: Proof, manifest: Manifest) -> GoldenRows:
        """Choose golden examples among the validation examples."""

    def provenance(self, proof: Proof) -> dict[str, Any]:
        """Return the figures of the proof for the manifest."""

    def card(self, manifest: Manifest, proof: Proof) -> str:
        """Write the model card, in Markdown."""

    def on_microcontroller(self, files: Mapping[str, MicroResult]) -> dict[str, Any]:
        """Compare answers in TensorFlow Lite Micro with this machine's, by path of the file."""

    def to_json(self, manifest: Manifest, proof: Proof) -> dict[str, Any]:
        """Return keys of `convert --json` that only this task has."""

    def words(self, manifest: Manifest, proof: Proof) -> list[str]:
        """Write the lines that `convert` prints."""

    def next_command(self, manifest: Manifest) -> str:
        """Return arguments of `run BUNDLE` for a hint; empty if an example is shown instead."""


class RowTask(ConversionTask, Protocol):
    """Task whose experts output a row of numbers: its recipes can be chosen file by file."""

    def wanted(self, targets: np.ndarray) -> np.ndarray:
        """Return the targets of the experts' outputs, (examples, ...)."""

    def calibrate(self, scores: np.ndarray, targets: np.ndarray) -> float:
        """Fit what makes answers of outputs to the scores of Keras: returns the temperature."""

    def of_outputs(self, outputs: np.ndarray) -> np.ndarray:
        """Convert outputs of experts, (examples, labels), to scores of answers."""

    def scores(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        """Compute scores of scores of answers, (examples, labels), by name."""

    @staticmethod
    def losses(
        outputs: np.ndarray, wanted: np.ndarray, all_wanted: np.ndarray, temperature: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute losses (examples,) of outputs, and shares (examples,) by which they are wrong.

        One minus the mean of the second over all examples is the primary score.

        Args:
            outputs: of an expert, (examples, labels).
            wanted: targets of these examples.
            all_wanted: targets of all measured examples.
        """

    @staticmethod
    def c_answer(manifest: Manifest) -> CAnswer:
        """Return the task's part of C source."""


def spread(
    clear: np.ndarray, experts: np.ndarray, asked: np.ndarray, most: int = GOLDEN_EXAMPLES
) -> np.ndarray:
    """Select rows with clear answers, spread over all experts that answered any.

    A clear answer is the same if another processor rounds a last bit differently. The share of rows
    that several experts answered is that of all examples: benchmarks use these examples too.

    Args:
        clear: margins of the answers, (examples,).
        experts: the first that answered, (examples,).
        asked: the number of experts that answered, (examples,).
    """
    count, more = min(most, len(clear)), asked > asked.min()
    of_more = int(np.ceil(count * np.mean(more)))
    chosen = [
        *_in_turn(np.flatnonzero(~more), count - of_more, clear, experts),
        *_in_turn(np.flatnonzero(more), of_more, clear, experts),
    ]
    return np.array(sorted(chosen))


def _in_turn(rows: np.ndarray, count: int, clear: np.ndarray, experts: np.ndarray) -> list[int]:
    """Select `count` of the rows, the experts in turn, the clearest of each first."""
    chosen: list[int] = []
    queues = [
        list(own[np.argsort(-clear[own], kind="stable")])
        for own in (rows[experts[rows] == expert] for expert in np.unique(experts[rows]))
    ]
    while len(chosen) < count:
        chosen += [queue.pop(0) for queue in queues if queue]
    return chosen[:count]
