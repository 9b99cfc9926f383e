"""Training of regression: squared error with standardized targets, R2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ...datasets import Dataset
from ...datasets.targets.regression_scores import scores
from ...errors import DataError, UsageError
from ...format.manifest import TaskSpec
from ...run_folder import Run
from ..config import TrainConfig
from ..model import SparseExperts
from ..objectives.routed_task import Arrays, Findings, RoutedTask
from ..objectives.value_losses import R2, ValueAnswers
from ..report.value_findings import ValueFindings
from .routed_training import RoutedTraining

_QUANTILES = ("lowest fifth", "low", "middle", "high", "highest fifth")
_SKEWED = 1e4  # ratio of the largest target to the median, if all are positive


class Values:
    """Standardized values as targets; see `RoutedTask`.

    Args:
        mean, scale: mean and scale of each output, (outputs,) float64.
        edges: bounds between the classes of the first output, ascending.
    """

    output_kind = "values"
    output_words = "one value for each target"
    primary = "r2"
    primary_words = "R2"

    def __init__(
        self, names: Sequence[str], mean: np.ndarray, scale: np.ndarray, edges: np.ndarray
    ):
        self.names, self.mean, self.scale, self._edges = names, mean, scale, edges

    @classmethod
    def of_data(cls, dataset: Dataset) -> Values:
        """Fit to the training split; a constant target has the scale 1."""
        targets = dataset.train.targets
        spread = targets.std(axis=0)
        varies = np.ptp(targets, axis=0) > 0
        shares = np.linspace(0, 1, len(_QUANTILES) + 1)[1:-1]
        return cls(
            dataset.labels,
            targets.mean(axis=0),
            np.where(varies, spread, 1.0),
            np.quantile(targets[:, 0], shares),
        )

    @classmethod
    def of_run(cls, run: Run) -> Values:
        """Read from the run folder."""
        assert run.task_spec is not None, "a run of regression has one"
        mean, scale = (np.array(run.task_spec.config[key], float) for key in ("mean", "scale"))
        edges = mean[0] + scale[0] * np.array([-0.84, -0.25, 0.25, 0.84])  # normal fifths
        return cls(run.labels, mean, scale, edges)

    @property
    def task_spec(self) -> TaskSpec:
        config = {"mean": self.mean.tolist(), "scale": self.scale.tolist()}
        return TaskSpec("regression", config)

    def fitted(self, model: SparseExperts, data: Arrays, dataset: Dataset) -> Values:
        return self

    def answers(self, share: float, temperature: float) -> ValueAnswers:
        return ValueAnswers(share)

    def network_targets(self, targets: np.ndarray) -> np.ndarray:
        standardized: np.ndarray = ((targets - self.mean) / self.scale).astype(np.float32)
        return standardized

    def values(self, outputs: np.ndarray) -> np.ndarray:
        """Convert networks' outputs, (..., outputs), to the data's units."""
        return outputs.astype(np.float64) * self.scale + self.mean

    def classes(self, targets: np.ndarray) -> np.ndarray:
        """Fifths of the first output's training values."""
        return np.searchsorted(self._edges, targets[:, 0])

    def class_names(self) -> Sequence[str]:
        return _QUANTILES

    def scores(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        return scores(self.values(outputs), targets, self.names)

    def same_answer_score(self, targets: np.ndarray) -> float:
        return 0.0  # R2 of the mean

    def points(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        spread = targets.var(axis=0)
        squares = (self.values(outputs) - targets) ** 2 / np.where(spread > 0, spread, 1.0)
        points: np.ndarray = 100.0 * (1.0 - squares.mean(axis=1))
        return points

    def oddities(self, dataset: Dataset) -> Iterator[str]:
        targets = dataset.train.targets
        for place, name in enumerate(self.names):
            column = targets[:, place]
            if not np.ptp(column):
                yield (
                    f"{dataset.name}: the target {name!r} is {column[0]:g} in all examples to "
                    "train on, so there is nothing to learn"
                )
            elif column.min() > 0 and column.max() > _SKEWED * np.median(column):
                yield (
                    f"{dataset.name}: the largest values of {name!r} decide nearly all of its "
                    "error; its logarithm may be a better target"
                )

    def findings(
        self, gate: np.ndarray | None, outputs: np.ndarray, targets: np.ndarray
    ) -> Findings:
        values, total = self.values(outputs), self.values(outputs.sum(axis=0))
        return ValueFindings(gate, values, total, targets, self.names, self.scale)

    def keras_targets(self, targets: np.ndarray) -> np.ndarray:
        return self.network_targets(targets)

    def keras_loss(self) -> tuple[Any, list[Any]]:
        return tf_keras.losses.MeanSquaredError(), [R2(len(self.names))]

    def closeness(self, targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Negative squared error; targets are values, or begin with them."""
        error = outputs - targets[:, : outputs.shape[-1]]
        return -tf.reduce_mean(error**2, axis=-1)

    def matched(
        self, name: str, labels: Sequence[str], targets: np.ndarray, known: Sequence[str]
    ) -> np.ndarray:
        if sorted(labels) != sorted(known):
            raise DataError(
                f"{name}: its targets are {', '.join(labels)}, and the run predicts "
                f"{', '.join(known)}; name the columns 'target:NAME' as they were named to train"
            )
        ordered: np.ndarray = targets[:, [labels.index(one) for one in known]]
        return ordered


class RegressionTraining:
    """Training of regression; see `TrainingTask`."""

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
                "router 'clusters' groups labels that a teacher confuses, and regression has no "
                "labels; use 'learned' or 'kmeans'"
            )
        return self._training(dataset).train(
            dataset, out, config, name=name, teacher=teacher, force=force, pictures=pictures
        )

    def refuse_unusable(self, dataset: Dataset, config: TrainConfig) -> None:
        self._training(dataset).refuse_unusable(dataset, config)

    def _training(self, dataset: Dataset) -> RoutedTraining:
        task = Values.of_data(dataset)

        def read_teacher(run: Run, outputs: np.ndarray) -> np.ndarray:
            return task.network_targets(Values.of_run(run).values(outputs))

        return RoutedTraining(task, read_teacher)

    def summary(self, run: Run) -> str:
        metrics = run.metrics
        return (
            f"R2 {metrics['validation_r2']:.4f} on validation, {metrics['test_r2']:.4f} on test "
            f"examples, mean absolute error {metrics['test_mae']:.6g} (float, hard routing)"
        )

    def adopted(self, dataset: Dataset) -> RoutedTask:
        raise DataError(
            f"{dataset.name}: adopt is for networks that classify: for regression the scale of a "
            "network's targets is not known; train it with --model MODULE:FUNCTION"
        )

    def extend(self, run: Path, dataset: Dataset, out: Path, **options: Any) -> Run | None:
        return None

    def routed(self, run: Run, command: str) -> RoutedTask:
        return Values.of_run(run)


TRAINING = RegressionTraining()
