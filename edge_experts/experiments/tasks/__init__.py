"""Tasks with a comparison: the primary score, and the error of a difference in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...datasets import Dataset
from ...errors import DataError
from ...registry import Registry

COMPARISONS = Registry(
    "edge_experts.comparisons",
    {
        "classification": f"{__name__}.classification:COMPARISON",
        "regression": f"{__name__}.regression:COMPARISON",
        "language-model": f"{__name__}.language_model:COMPARISON",
        "multi-label": f"{__name__}.multi_label:COMPARISON",
    },
)

Interval = tuple[float, float]
Scores = Mapping[str, float]


@dataclass(frozen=True)
class ModelResult:
    """Result of one model on examples.

    Attributes:
        losses: loss of each example, (examples,); one minus their mean is the primary score. Empty
            if single examples are not compared.
    """

    scores: Scores
    examples: int
    losses: tuple[float, ...] = ()


class ComparedTask(Protocol):
    """Comparison of models of one task.

    Attributes:
        score: key of the primary score; higher is better, and useful models are between 0 and 1.
        title: name of the primary score in tables and texts.
        others: further scores that tables show: their keys, and their names in words.
        points: hundredths of the primary score, in words.
        gained: the gain of a better model in words; {} stands for the points.
        outputs: the word for the labels of a data set.
        rows: names of the contenders that it has; None: all.
        commands: names of the commands that compare its models; None: all.
    """

    score: str
    title: str
    others: Mapping[str, str]
    points: str
    gained: str
    outputs: str
    rows: tuple[str, ...] | None
    commands: tuple[str, ...] | None

    def essential(self, targets: np.ndarray) -> np.ndarray:
        """Rows that every subset of the data must contain for training, (rows,)."""

    def trained(self, metrics: Mapping[str, Any]) -> Scores:
        """Scores of a Keras model on the test split, from the metrics of its run."""

    def of_outputs(self, outputs: np.ndarray, dataset: Dataset, run: Any) -> ModelResult:
        """Scores and losses on the test split.

        Args:
            outputs: outputs of the run's Keras model, (examples, labels).
            run: a `run_folder.Run`.
        """

    def answered(self, bundle: Path, dataset: Dataset) -> ModelResult:
        """Scores and losses of a bundle on the test split, in a separate process."""

    def converted(self, conversion: Any, dataset: Dataset) -> ModelResult:
        """Scores of a `converters.Conversion` on the test split."""

    def exported(self, proof: Any) -> tuple[ModelResult, Scores]:
        """Scores of a network in ONNX Runtime, by the proof of its export, and before quantization.

        The outcome has no losses.
        """

    def paired(self, one: ModelResult, base: ModelResult) -> tuple[float, float]:
        """Difference of the primary score on the same examples, and its standard error."""

    def error(self, one: ModelResult, other: ModelResult) -> float:
        """Standard error of a difference of the primary score, with or without losses."""

    def row(
        self, deployed: Sequence[Scores], trained: Sequence[Scores], interval: Interval | None
    ) -> dict[str, Any]:
        """Keys of a row of `compare --json`.

        Args:
            deployed, trained: scores of each seed.
            interval: interval of the mean of the deployed primary scores.
        """

    def candidate(self, scores: Scores) -> dict[str, Any]:
        """Keys of a candidate of `advise --json`."""

    def heading(self) -> dict[str, Any]:
        """Top-level keys of both."""


def comparison_of(dataset: Dataset, command: str) -> ComparedTask:
    """Return the comparison of a data set's task.

    Raises:
        DataError: `command` does not support this task.
    """
    found = task_named(dataset.task_type) if COMPARISONS.has(dataset.task_type) else None
    if found is None or command not in (found.commands or (command,)):
        raise DataError(
            f"{dataset.name}: {command} does not support {dataset.task_type}; use `train` and "
            "`evaluate` instead"
        )
    return found


def task_named(name: str) -> ComparedTask:
    """Return the comparison of a task by its name."""
    found: ComparedTask = COMPARISONS.get(name)
    return found
