"""Tasks of training: training, evaluation and reports for each type of data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ...datasets import Dataset
from ...registry import Registry
from ...run_folder import Run
from ..config import TrainConfig
from ..objectives.routed_task import RoutedTask

TRAININGS = Registry(
    "edge_experts.trainings",
    {
        "classification": f"{__name__}.classification:TRAINING",
        "translation": f"{__name__}.translation:TRAINING",
        "regression": f"{__name__}.regression:TRAINING",
        "language-model": f"{__name__}.language_model:TRAINING",
        "multi-label": f"{__name__}.multi_label:TRAINING",
        "anomaly": f"{__name__}.anomaly:TRAINING",
    },
)


class TrainingTask(Protocol):
    """Training of one task; it owns its loop."""

    def settings(self, dataset: Dataset) -> Mapping[str, Any]:
        """Settings for the data set, which replace those for its kind."""

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
        """Train, evaluate and write the run folder.

        Raises:
            UsageError: the task does not support the data or a setting.
        """

    def refuse_unusable(self, dataset: Dataset, config: TrainConfig) -> None:
        """Try the custom networks of a configuration, and its dense baselines, before a training.

        Raises:
            UsageError: one would fail later; the message has its option and the cause.
        """

    def summary(self, run: Run) -> str:
        """Scores of a finished training in words, for the end of `train`."""

    def adopted(self, dataset: Dataset) -> RoutedTask:
        """Objective and scores of networks that were trained elsewhere on this data.

        Raises:
            DataError: the task does not support them; the message has the remedy.
        """

    def extend(
        self,
        run: Path,
        dataset: Dataset,
        out: Path,
        *,
        retrain: int | None,
        old_data: Dataset | None,
        epochs: int | None,
        seed: int,
        max_forgetting: float | None,
        force: bool,
    ) -> Run | None:
        """Extend a run in the task's way; None for a task with one routing per input.

        Args:
            epochs: None for the task's default.

        Raises:
            UsageError: an option is not supported.
        """

    def routed(self, run: Run, command: str) -> RoutedTask:
        """Objective and scores of a finished training with one routing per input.

        Raises:
            UsageError: `command` does not support this task; the message has the remedy.
        """


def training_of(task_type: str) -> TrainingTask:
    """Return the training of a task.

    Raises:
        MissingPartError: no installed package has the task.
    """
    training: TrainingTask = TRAININGS.get(task_type)
    return training
