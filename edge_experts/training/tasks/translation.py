"""Training of translators, by `edge_experts/training/translation/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...datasets import Dataset
from ...errors import DataError, UsageError
from ...run_folder import Run
from ..config import TrainConfig
from ..objectives.routed_task import RoutedTask


class TranslationTraining:
    """Training of translators; see `TrainingTask`."""

    def settings(self, dataset: Dataset) -> Mapping[str, Any]:
        """One expert for each label."""
        return {"experts": len(dataset.labels)}

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
        from .. import translation

        return translation.train(dataset, out, config, name=name, force=force)

    def refuse_unusable(self, dataset: Dataset, config: TrainConfig) -> None:
        """Accept all settings: the task has no custom networks."""

    def summary(self, run: Run) -> str:
        metrics = run.metrics
        return (
            f"accuracy {metrics['validation_accuracy']:.4f} on validation, "
            f"{metrics['test_accuracy']:.4f} on test examples (of next pieces, float)"
        )

    def adopted(self, dataset: Dataset) -> RoutedTask:
        raise DataError(
            f"{dataset.name}: adopt is for networks that classify; `train` makes translators"
        )

    def extend(self, run: Path, dataset: Dataset, out: Path, **options: Any) -> Run | None:
        return None

    def routed(self, run: Run, command: str) -> RoutedTask:
        raise UsageError(
            f"{run.name}: {command} does not support translation; use `train` and `evaluate`"
        )


TRAINING = TranslationTraining()
