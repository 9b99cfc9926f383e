"""Tasks of training: how a data set of a type is trained on, judged and told of."""

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
    },
)


class TrainingTask(Protocol):
    """Training of one task; it owns its loop."""

    def settings(self, dataset: Dataset) -> Mapping[str, Any]:
        """Settings that suit the data set, in place of those for its kind."""

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
        """Trains, evaluates and writes the run folder.

        Raises:
            UsageError: the data or a setting has no meaning for the task.
        """

    def summary(self, run: Run) -> str:
        """Scores of a finished training in words, for the end of `train`."""

    def refuse_adoption(self, dataset: Dataset) -> None:
        """Refuses networks that were trained elsewhere, where the task cannot take them.

        Raises:
            DataError: with a remedy.
        """

    def routed(self, run: Run, command: str) -> RoutedTask:
        """Objective and scores of a finished training whose experts are routed once per input.

        Raises:
            UsageError: `command` is not for runs of this task, with a remedy.
        """


def training_of(task_type: str) -> TrainingTask:
    """Training of a task.

    Raises:
        MissingPartError: no installed package has it.
    """
    training: TrainingTask = TRAININGS.get(task_type)
    return training
