"""Training of language models, by `edge_experts/training/language_model/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...datasets import Dataset
from ...errors import DataError, UsageError
from ...run_folder import Run
from ..config import TrainConfig
from ..objectives.routed_task import RoutedTask


class LanguageTraining:
    """Training of language models; see `TrainingTask`."""

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
        from ..language_model import language_trainer

        if teacher is not None:
            raise UsageError("--teacher: language models are trained without a teacher")
        return language_trainer.train(
            dataset, out, config, name=name, force=force, pictures=pictures
        )

    def refuse_unusable(self, dataset: Dataset, config: TrainConfig) -> None:
        """Accept all settings: the task has no custom networks."""

    def summary(self, run: Run) -> str:
        metrics = run.metrics
        return (
            f"perplexity {metrics['validation_perplexity']:.2f} on validation, "
            f"{metrics['test_perplexity']:.2f} on test documents "
            f"({metrics['test_bits_per_byte']:.3f} bits per byte, float)"
        )

    def adopted(self, dataset: Dataset) -> RoutedTask:
        raise DataError(
            f"{dataset.name}: adopt is for networks that classify; `train` makes language models"
        )

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
    ) -> Run:
        from ..language_model import language_extension

        if retrain is not None:
            raise UsageError("--retrain is not supported for language models")
        return language_extension.extend(
            run,
            dataset,
            out,
            old_data=old_data,
            passes=language_extension.PASSES if epochs is None else epochs,
            seed=seed,
            max_forgetting=max_forgetting,
            force=force,
        )

    def routed(self, run: Run, command: str) -> RoutedTask:
        raise UsageError(f"{run.name}: {command} does not support language models yet")


TRAINING = LanguageTraining()
