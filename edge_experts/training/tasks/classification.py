"""Training of classifiers: cross-entropy with labels, accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ...datasets import Dataset
from ...errors import DataError
from ...run_folder import Run
from .. import checks
from ..config import TrainConfig
from ..model import SparseExperts
from ..objectives.losses import AnswerLoss, right
from ..objectives.routed_task import Arrays, RoutedTask
from ..report.class_findings import ClassFindings
from .routed_training import RoutedTraining


class Classes:
    """Labels as targets; see `RoutedTask`."""

    output_kind = "labels"
    output_words = "one logit for each label"
    primary = "accuracy"
    primary_words = "accuracy"
    task_spec = None

    def __init__(self, labels: Sequence[str]):
        self.labels = labels

    def fitted(self, model: SparseExperts, data: Arrays, dataset: Dataset) -> Classes:
        return self

    def answers(self, share: float, temperature: float) -> AnswerLoss:
        return AnswerLoss(share, temperature)

    def network_targets(self, targets: np.ndarray) -> np.ndarray:
        return targets[:, None]

    def classes(self, targets: np.ndarray) -> np.ndarray:
        return targets

    def class_names(self) -> Sequence[str]:
        return self.labels

    def scores(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        return {"accuracy": round(float(np.mean(outputs.argmax(axis=1) == targets)), 5)}

    def same_answer_score(self, targets: np.ndarray) -> float:
        return float(np.bincount(targets, minlength=len(self.labels)).max() / len(targets))

    def points(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return 100.0 * (outputs.argmax(axis=1) == targets)

    def oddities(self, dataset: Dataset) -> Iterator[str]:
        return checks.few_labels(dataset)

    def findings(
        self, gate: np.ndarray | None, outputs: np.ndarray, targets: np.ndarray
    ) -> ClassFindings:
        return ClassFindings(gate, outputs, targets, self.labels)

    def keras_targets(self, targets: np.ndarray) -> np.ndarray:
        return targets

    def keras_loss(self) -> tuple[Any, list[Any]]:
        return tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"]

    def closeness(self, targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        return right(targets, outputs)

    def matched(
        self, name: str, labels: Sequence[str], targets: np.ndarray, known: Sequence[str]
    ) -> np.ndarray:
        unknown = set(labels) - set(known)
        if unknown:
            raise DataError(
                f"{name}: has labels that the run does not know: {', '.join(sorted(unknown))}; it "
                f"knows {', '.join(known[:20])}. All experts answer with the same labels: for new "
                "ones, train again on the old and the new data together"
            )
        places: np.ndarray = np.array([known.index(label) for label in labels])[targets]
        return places


class ClassificationTraining:
    """Training of classifiers; see `TrainingTask`."""

    def settings(self, dataset: Dataset) -> Mapping[str, Any]:
        return {}

    def train(
        self,
        dataset: Dataset,
        out: Path,
        config: TrainConfig,
        *,
        name: str | None,
        teacher: Path | None,
        force: bool,
        pictures: bool,
    ) -> Run:
        return self._training(dataset).train(
            dataset, out, config, name=name, teacher=teacher, force=force, pictures=pictures
        )

    def refuse_unusable(self, dataset: Dataset, config: TrainConfig) -> None:
        self._training(dataset).refuse_unusable(dataset, config)

    def _training(self, dataset: Dataset) -> RoutedTraining:
        return RoutedTraining(Classes(dataset.labels), lambda run, outputs: outputs)

    def summary(self, run: Run) -> str:
        metrics = run.metrics
        return (
            f"accuracy {metrics['validation_accuracy']:.4f} on validation, "
            f"{metrics['test_accuracy']:.4f} on test examples (float, hard routing)"
        )

    def adopted(self, dataset: Dataset) -> RoutedTask:
        return Classes(dataset.labels)

    def extend(self, run: Path, dataset: Dataset, out: Path, **options: Any) -> Run | None:
        return None

    def routed(self, run: Run, command: str) -> RoutedTask:
        return Classes(run.labels)


TRAINING = ClassificationTraining()
