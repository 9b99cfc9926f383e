"""Training of the task: squared error of the last state."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from edge_experts.datasets import Dataset
from edge_experts.errors import DataError, UsageError
from edge_experts.features import encode_all
from edge_experts.format.atomic import refuse_existing, staged
from edge_experts.format.manifest import TaskSpec
from edge_experts.run_folder import Run
from edge_experts.training.config import TrainConfig
from edge_experts.training.encoding import fit_features
from edge_experts.training.leaving import leave
from edge_experts.training.objectives.routed_task import RoutedTask

from .model import LayeredExperts

STEPS = 2
_SHARPEST = 30.0


class Training:
    """See `edge_experts.training.tasks.TrainingTask`."""

    def settings(self, dataset: Dataset) -> Mapping[str, Any]:
        return {"experts": 2, "epochs": 60, "learning_rate": 0.02}

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
        refuse_existing(out, force=force)
        tf_keras.utils.set_random_seed(config.seed)
        features = fit_features(dataset, np.zeros(len(dataset.train), int))
        x, y = encode_all(features, dataset.train.inputs), dataset.train.targets
        if x["x"].shape[1:] != (len(dataset.labels),):
            raise DataError(f"{dataset.name}: must have as many columns as targets")
        model = LayeredExperts(len(dataset.labels), config.experts, STEPS)
        model.compile(tf_keras.optimizers.Adam(config.learning_rate), "mse")
        sharper = tf_keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: model.sharpness.assign(
                _SHARPEST ** (epoch / config.epochs)
            )
        )
        model.fit(x["x"], y, batch_size=64, epochs=config.epochs, verbose=0, callbacks=[sharper])
        metrics = {}
        for split in ("validation", "test"):
            own = getattr(dataset, split)
            states = model.predict(encode_all(features, own.inputs)["x"], verbose=0)
            metrics[f"{split}_off"] = round(float(np.abs(states - own.targets).mean()), 6)
        with staged(out, force=force) as folder:
            return leave(
                folder,
                model,
                features,
                dataset,
                name=name or dataset.name,
                seed=config.seed,
                config=config.to_json(),
                metrics=metrics,
                task_spec=TaskSpec("two-layers", {"steps": STEPS}),
            )

    def refuse_unusable(self, dataset: Dataset, config: TrainConfig) -> None:
        """Accept all settings: the task has no custom networks."""

    def summary(self, run: Run) -> str:
        return f"off by {run.metrics['test_off']:.4f} on test examples"

    def adopted(self, dataset: Dataset) -> RoutedTask:
        raise DataError(f"{dataset.name}: adopt is not for two-layers")

    def extend(self, run: Path, dataset: Dataset, out: Path, **options: Any) -> Run | None:
        return None

    def routed(self, run: Run, command: str) -> RoutedTask:
        raise UsageError(f"{command} is not for two-layers, which routes more than once")


TRAINING = Training()
