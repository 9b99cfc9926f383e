"""ConversionTask: everything that differs between tasks when a run folder becomes a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from edge_experts.datasets import Split
from edge_experts.features import Features
from edge_experts.format.manifest import Manifest
from edge_experts.run_folder import Run

from ..targets import Target
from ..targets.microcontroller import Measured
from ..verify.proof import Deployed, Proof
from ..verify.reference import Reference
from .c_answers import CAnswer

GOLDEN_EXAMPLES = 32

# Options that have a meaning for every task; each task names its others.
COMMON = frozenset(
    {"quantization", "max_accuracy_drop", "target", "bundle_version", "processes", "cache", "force"}
)
# Of tasks whose experts give one row of numbers, alone or in one file with their router.
OF_ROWS = frozenset(
    {"io", "layout", "top_k", "second_share", "size_budget", "size_budget_compressed"}
    | {"base", "compress", "data", "frontier", "c_source"}
)


@dataclass(frozen=True)
class Examples:
    """Examples of a run folder, as its conversion uses them.

    Attributes:
        calibration: representative inputs by name, (examples, ...).
        validation: inputs that Keras answers for comparison, by name, (examples, ...).
        splits: "validation" and "test": the examples that the bundle answers.
        files: further files of the worker's job and of the proof's, by name.
    """

    calibration: Mapping[str, np.ndarray]
    validation: Mapping[str, np.ndarray]
    splits: Mapping[str, Split]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Golden:
    """Golden examples: rows of the validation examples, and the task's own arrays of these rows."""

    rows: np.ndarray
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


class ConversionTask(Protocol):
    """A task's part of a conversion.

    Attributes:
        name: its key in the registry.
        networks: "module:class" for worker processes; see `networks.Networks`.
        options: fields of `ConvertOptions`, and options of the command line, that have a meaning.
        recipes: values of `quantization`.
        primary: the score that `max_accuracy_drop` and a size budget judge by.
        run: the run as the bundle describes it.
        layers: experts of each layer; empty where one router, or none, picks from all experts.
    """

    name: str
    networks: str
    options: frozenset[str]
    recipes: tuple[str, ...]
    primary: str
    run: Run
    layers: tuple[int, ...]

    def __init__(self, run: Run, features: Features): ...

    def require(self) -> None:
        """Raises MissingExtraError where the comparison needs a package that is missing."""

    def refuse_target(self, target: Target) -> None:
        """Raises UnsuitableError where the target cannot run files of this task."""

    def settings(self, options: Any) -> Mapping[str, Any]:
        """Options of this task alone that change the bytes of files; see `Order`."""

    def examples(self, splits: Mapping[str, Split]) -> Examples:
        """The examples of a run folder, as this conversion uses them."""

    def manifest_parts(self, options: Any) -> Mapping[str, Any]:
        """Fields of the manifest that only this task has."""

    def judge(
        self,
        reference: Reference,
        deployed: Deployed,
        manifest: Manifest,
        splits: Mapping[str, Split],
    ) -> Proof:
        """Compares answers of the bundle with those of Keras."""

    def golden(self, reference: Reference, proof: Proof, manifest: Manifest) -> Golden:
        """Chooses golden examples among the validation examples."""

    def provenance(self, proof: Proof) -> dict[str, Any]:
        """Figures that the manifest keeps of the proof."""

    def card(self, manifest: Manifest, proof: Proof) -> str:
        """The model card, in Markdown."""

    def on_microcontroller(self, files: Mapping[str, Measured]) -> dict[str, Any]:
        """Compares answers in TensorFlow Lite Micro with this machine's, by path of the file."""

    def to_json(self, manifest: Manifest, proof: Proof) -> dict[str, Any]:
        """Keys of `convert --json` that only this task has."""

    def words(self, manifest: Manifest, proof: Proof) -> list[str]:
        """Lines that `convert` prints."""

    def next_command(self, manifest: Manifest) -> str:
        """Arguments of `run BUNDLE` for a hint; empty where an example is to be shown instead."""


class RowTask(ConversionTask, Protocol):
    """A task whose experts give a row of numbers: its recipes can be chosen file by file."""

    def wanted(self, targets: np.ndarray) -> np.ndarray:
        """Values that experts' outputs are compared with, (examples, ...)."""

    def temperature(self, scores: np.ndarray, targets: np.ndarray) -> float:
        """The temperature of outputs whose scores Keras gives."""

    def scores(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        """Scores of outputs, or of scores of answers, (examples, labels), by name."""

    @staticmethod
    def losses(
        outputs: np.ndarray, wanted: np.ndarray, all_wanted: np.ndarray, temperature: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Losses (examples,) of outputs, and shares (examples,) by which they are wrong.

        One minus the mean of the second over all examples is the primary score.

        Args:
            outputs: of an expert, (examples, labels).
            wanted: for these examples.
            all_wanted: for all examples that are measured on.
        """

    @staticmethod
    def c_answer(manifest: Manifest) -> CAnswer:
        """The task's part of C source."""


def spread(
    clear: np.ndarray, experts: np.ndarray, asked: np.ndarray, most: int = GOLDEN_EXAMPLES
) -> np.ndarray:
    """Rows whose answers are clear, spread over all experts that answered any.

    A clear answer stays the same where another processor rounds a last bit the other way. As
    often as among all examples more experts were asked: benchmarks ask these examples too.

    Args:
        clear: how clear the answers are, (examples,).
        experts: the first that answered, (examples,).
        asked: how many answered, (examples,).
    """
    count, more = min(most, len(clear)), asked > asked.min()
    of_more = int(np.ceil(count * np.mean(more)))
    chosen = [
        *_in_turn(np.flatnonzero(~more), count - of_more, clear, experts),
        *_in_turn(np.flatnonzero(more), of_more, clear, experts),
    ]
    return np.array(sorted(chosen))


def _in_turn(rows: np.ndarray, count: int, clear: np.ndarray, experts: np.ndarray) -> list[int]:
    """So many of the rows, the experts in turn, the clearest of each first."""
    chosen: list[int] = []
    queues = [
        list(own[np.argsort(-clear[own], kind="stable")])
        for own in (rows[experts[rows] == expert] for expert in np.unique(experts[rows]))
    ]
    while len(chosen) < count:
        chosen += [queue.pop(0) for queue in queues if queue]
    return chosen[:count]
