"""Interface of a task whose experts are networks of one output vector, routed once per input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tf_keras

from ...datasets import Dataset
from ...format.manifest import TaskSpec

Arrays = Mapping[str, Mapping[str, np.ndarray]]


class Findings(Protocol):
    """Insight into a trained model on the validation split."""

    def to_json(self) -> dict[str, Any]:
        """Metrics for run.json."""

    def as_text(self, settings: Mapping[str, Any]) -> str:
        """Lines for a terminal; empty for a dense network."""

    def draw(self, folder: Path, owned: Any) -> list[Path]:
        """Write charts into the folder, which is created, and return their paths."""

    def surety(self) -> np.ndarray | None:
        """Confidence of each example, (examples,), to sort from typical to odd; None: no router."""


class RoutedTask(Protocol):
    """Objective, targets and scores of one task, fitted to a training split.

    Attributes:
        output_kind: a name in `outputs.COMBINATIONS`.
        output_words: outputs of a network in words, for errors.
        primary: the score that selects models; higher is better.
        primary_words: name of that score in texts.
        task_spec: specification for the run folder; None for classification.
    """

    output_kind: str
    output_words: str
    primary: str
    primary_words: str

    @property
    def task_spec(self) -> TaskSpec | None: ...

    def fitted(self, model: Any, data: Arrays, dataset: Dataset) -> RoutedTask:
        """The task with all that follows from a trained model, such as thresholds.

        Args:
            model: a `SparseExperts`.
            data: the model's inputs by split, each by name, (examples, ...).
            dataset: targets of these examples.
        """

    def answers(self, share: float, temperature: float) -> Any:
        """Loss of the outputs for one stage, such as `losses.Answers`.

        Args:
            share: share of a teacher in the targets.
            temperature: temperature of a teacher's probabilities, if there are any.
        """

    def network_targets(self, targets: np.ndarray) -> np.ndarray:
        """Targets in the form that `answers` splits, (examples, columns)."""

    def classes(self, targets: np.ndarray) -> np.ndarray:
        """Classes of examples, (examples,) int64: labels, or quantiles of values."""

    def class_names(self) -> Sequence[str]:
        """Names of these classes."""

    def scores(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        """Scores of a deployed model's outputs (examples, outputs) against a data set's targets."""

    def same_answer_score(self, targets: np.ndarray) -> float:
        """Primary score of the best answer that is the same for all examples."""

    def points(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Contributions of the examples, (examples,), whose mean is 100 times the primary score."""

    def oddities(self, dataset: Dataset) -> Iterator[str]:
        """Warnings about targets, before training."""

    def findings(
        self, gate: np.ndarray | None, outputs: np.ndarray, targets: np.ndarray
    ) -> Findings:
        """Insight into a trained model.

        Args:
            gate: a router's probabilities (examples, experts), or None.
            outputs: (experts, examples, outputs).
        """

    def keras_targets(self, targets: np.ndarray) -> np.ndarray:
        """Targets for `keras_loss`."""

    def keras_loss(self) -> tuple[Any, list[tf_keras.metrics.Metric]]:
        """Loss and metrics for `fit` of a single network; the metric is the primary one."""

    def closeness(self, targets: Any, outputs: Any) -> Any:
        """Score (rows,) of outputs, higher is better, with targets as for `answers`."""

    def matched(
        self, name: str, labels: Sequence[str], targets: np.ndarray, known: Sequence[str]
    ) -> np.ndarray:
        """Convert targets of a data set with these labels to the known labels.

        Raises:
            DataError: they do not fit; the message has the remedy.
        """
