"""Tasks that are compared: the score that decides, and the error of a difference between two."""

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
    },
)

Interval = tuple[float, float]
Scores = Mapping[str, float]


@dataclass(frozen=True)
class Outcome:
    """Result of one model on examples.

    Attributes:
        losses: of each example, (examples,); one minus their mean is the primary score. Empty
            where single examples are not compared.
    """

    scores: Scores
    examples: int
    losses: tuple[float, ...] = ()


class ComparedTask(Protocol):
    """Comparison of models of one task.

    Attributes:
        score: key of the primary score, which is better the higher it is; from 0 to 1 where a model
            is of use.
        title: the same for people.
        others: keys of further scores that tables show.
        points: hundredths of the primary score, in words.
        gained: the gain of a better model in words; {} stands for the points.
        outputs: the word for the labels of a data set.
    """

    score: str
    title: str
    others: tuple[str, ...]
    points: str
    gained: str
    outputs: str

    def essential(self, targets: np.ndarray) -> np.ndarray:
        """Rows that every part of the data must have to train on, (rows,)."""

    def trained(self, metrics: Mapping[str, Any]) -> Scores:
        """Scores of a Keras model on the test split, from the metrics of its run."""

    def of_outputs(self, outputs: np.ndarray, dataset: Dataset, run: Any) -> Outcome:
        """Scores and losses on the test split.

        Args:
            outputs: of the run's Keras model, (examples, labels).
            run: a `run_folder.Run`.
        """

    def answered(self, bundle: Path, dataset: Dataset) -> Outcome:
        """Scores and losses of a bundle, which is asked the test split in a process of its own."""

    def converted(self, conversion: Any, dataset: Dataset) -> Outcome:
        """Scores of a `converters.Conversion` on the test split."""

    def exported(self, proof: Any) -> tuple[Outcome, Scores]:
        """Scores of what ONNX Runtime runs, from the proof of its export, and before quantization.

        Without losses.
        """

    def paired(self, one: Outcome, base: Outcome) -> tuple[float, float]:
        """The difference of the primary score on the same examples, and its standard error."""

    def error(self, one: Outcome, other: Outcome) -> float:
        """Standard error of a difference of the primary score, with or without losses."""

    def row(
        self, deployed: Sequence[Scores], trained: Sequence[Scores], interval: Interval | None
    ) -> dict[str, Any]:
        """Keys of a row of `compare --json`.

        Args:
            deployed, trained: of each seed.
            interval: of the mean of the deployed primary scores.
        """

    def candidate(self, scores: Scores) -> dict[str, Any]:
        """Keys of a candidate of `advise --json`."""

    def heading(self) -> dict[str, Any]:
        """Keys of the whole of both."""


def comparison_of(dataset: Dataset, command: str) -> ComparedTask:
    """The comparison of a data set's task.

    Raises:
        DataError: `command` is not for this task.
    """
    if dataset.task_type not in COMPARISONS.names:
        raise DataError(
            f"{dataset.name}: {command} is for {' and '.join(COMPARISONS.names)}; `train` and "
            "`evaluate` do it"
        )
    return task_named(dataset.task_type)


def task_named(name: str) -> ComparedTask:
    """The comparison of a task by its name."""
    found: ComparedTask = COMPARISONS.get(name)
    return found
