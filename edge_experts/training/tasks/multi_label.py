"""Training of multi-label classification: binary cross-entropy, thresholds, F1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ...datasets import Dataset
from ...datasets.targets import label_sets
from ...errors import DataError, UsageError
from ...format.manifest import TaskSpec
from ...run_folder import Run
from .. import checks
from ..config import TrainConfig
from ..inference import predict
from ..model import SparseExperts
from ..objectives.routed_task import Arrays, RoutedTask
from ..objectives.set_losses import F1, SetLoss
from ..report.set_findings import SetFindings
from .routed_training import RoutedTraining

_FEW = 5  # fewest training examples of a label without a warning


class LabelSets:
    """Sets of labels as targets; see `RoutedTask`.

    Args:
        counts: training examples of each label, (labels,); they make its rarest label the class of
            an example.
        thresholds: probability of each label from which it is answered, (labels,); None: those that
            are best for the outputs to score.
    """

    output_kind = "sets"
    output_words = "one logit for each label"
    primary = "f1_micro"
    primary_words = "micro-F1"

    def __init__(
        self, labels: Sequence[str], counts: np.ndarray, thresholds: np.ndarray | None = None
    ):
        self.labels, self.thresholds = labels, thresholds
        self._counts = counts

    @classmethod
    def of_run(cls, run: Run) -> LabelSets:
        """Read from the run folder."""
        assert run.task_spec is not None, "a multi-label run has one"
        config = run.task_spec.config
        return cls(run.labels, np.array(config["counts"]), np.array(config["thresholds"], float))

    @property
    def task_spec(self) -> TaskSpec:
        assert self.thresholds is not None, "it is fitted when the run folder is written"
        config = {"thresholds": self.thresholds.tolist(), "counts": self._counts.tolist()}
        return TaskSpec("multi-label", config)

    def fitted(self, model: SparseExperts, data: Arrays, dataset: Dataset) -> LabelSets:
        outputs = predict(model, data["validation"])
        return self.with_thresholds(outputs, dataset.validation.targets)

    def with_thresholds(self, outputs: np.ndarray, targets: np.ndarray) -> LabelSets:
        """The task with the best thresholds for these outputs."""
        thresholds = label_sets.choose_thresholds(probabilities(outputs), targets)
        return LabelSets(self.labels, self._counts, thresholds)

    def answered(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Answered labels of networks' outputs, (examples, labels) bool."""
        if self.thresholds is None:
            return self.with_thresholds(outputs, targets).answered(outputs, targets)
        answered: np.ndarray = probabilities(outputs) >= self.thresholds
        return answered

    def answers(self, share: float, temperature: float) -> SetLoss:
        return SetLoss(share, temperature)

    def network_targets(self, targets: np.ndarray) -> np.ndarray:
        return targets.astype(np.float32)

    def classes(self, targets: np.ndarray) -> np.ndarray:
        """The rarest label of each example; a further class has those without labels."""
        return label_sets.rarest(targets, self._counts)

    def class_names(self) -> Sequence[str]:
        return (*self.labels, label_sets.NONE)

    def scores(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        return label_sets.scores(self.answered(outputs, targets), targets)

    def same_answer_score(self, targets: np.ndarray) -> float:
        return label_sets.same_always(targets)

    def points(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return label_sets.points(self.answered(outputs, targets), targets)

    def oddities(self, dataset: Dataset) -> Iterator[str]:
        name, counts = dataset.name, dataset.train.targets.sum(axis=0)
        few = [self.labels[place] for place in np.flatnonzero(counts < _FEW)]
        if few:
            are = "has" if len(few) == 1 else "have"
            yield (
                f"{name}: {checks.listed('label', few)} {are} fewer than {_FEW} examples to train "
                "on; add more, or leave the label out"
            )
        always = [self.labels[place] for place in np.flatnonzero(counts == len(dataset.train))]
        if always:
            are = "is" if len(always) == 1 else "are"
            yield (
                f"{name}: {checks.listed('label', always)} {are} that of every example to train "
                "on, so there is nothing to learn of it"
            )

    def findings(
        self, gate: np.ndarray | None, outputs: np.ndarray, targets: np.ndarray
    ) -> SetFindings:
        assert self.thresholds is not None, "findings are of a trained model"
        each = np.stack([self.answered(one, targets) for one in outputs])
        together = each[0] if len(each) == 1 else self.answered(outputs.sum(axis=0), targets)
        return SetFindings(gate, each, together, targets, self.labels)

    def keras_targets(self, targets: np.ndarray) -> np.ndarray:
        return self.network_targets(targets)

    def keras_loss(self) -> tuple[Any, list[Any]]:
        return tf_keras.losses.BinaryCrossentropy(from_logits=True), [F1()]

    def closeness(self, targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Negative cross-entropy; targets are labels, or begin with them."""
        return -SetLoss(0.0).of(outputs, targets[:, : outputs.shape[-1]])

    def matched(
        self, name: str, labels: Sequence[str], targets: np.ndarray, known: Sequence[str]
    ) -> np.ndarray:
        unknown = sorted(set(labels) - set(known))
        if unknown:
            raise DataError(
                f"{name}: has labels that the run does not know: {', '.join(unknown[:20])}; it "
                f"knows {', '.join(known[:20])}. All experts answer with the same labels: for new "
                "ones, train again on the old and the new data together"
            )
        matched = np.zeros((len(targets), len(known)), bool)
        matched[:, [known.index(label) for label in labels]] = targets
        return matched


class MultiLabelTraining:
    """Training of multi-label classification; see `TrainingTask`."""

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
        if config.router == "clusters":
            raise UsageError(
                "router 'clusters' groups labels that a teacher confuses, each example having one; "
                "for several labels use 'learned' or 'kmeans'"
            )
        return self._training(dataset).train(
            dataset, out, config, name=name, teacher=teacher, force=force, pictures=pictures
        )

    def refuse_unusable(self, dataset: Dataset, config: TrainConfig) -> None:
        self._training(dataset).refuse_unusable(dataset, config)

    def _training(self, dataset: Dataset) -> RoutedTraining:
        return RoutedTraining(_fresh(dataset), lambda run, outputs: outputs)

    def summary(self, run: Run) -> str:
        metrics = run.metrics
        return (
            f"micro-F1 {metrics['validation_f1_micro']:.4f} on validation, "
            f"{metrics['test_f1_micro']:.4f} on test examples, macro-F1 "
            f"{metrics['test_f1_macro']:.4f} (float, hard routing)"
        )

    def adopted(self, dataset: Dataset) -> RoutedTask:
        return _fresh(dataset)

    def extend(self, run: Path, dataset: Dataset, out: Path, **options: Any) -> Run | None:
        return None

    def routed(self, run: Run, command: str) -> RoutedTask:
        return LabelSets.of_run(run)


def _fresh(dataset: Dataset) -> LabelSets:
    """The task of a data set, without thresholds yet."""
    return LabelSets(dataset.labels, dataset.train.targets.sum(axis=0))


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Sigmoid of logits, float64."""
    found: np.ndarray = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -500, 500)))
    return found


TRAINING = MultiLabelTraining()
