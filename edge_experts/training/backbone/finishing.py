"""The end of a training on features: the whole model, fine-tuned if that is wanted."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets import Dataset
from .. import cost
from ..augmentation import Change
from ..checkpoints import Checkpoints
from ..config import TrainConfig
from ..model import SparseExperts
from ..objectives.routed_task import RoutedTask
from ..stages import Stages
from .features import Trunk
from .joining import joined, taken_apart


@dataclass(frozen=True)
class Finishing:
    """Joins a backbone with experts of its features.

    Attributes:
        data: encoded inputs of each split.
        logs: folder of TensorBoard's files.
        augment: changes the inputs of a batch in fine-tuning; None: unchanged.
    """

    trunk: Trunk
    task: RoutedTask
    dataset: Dataset
    data: Mapping[str, Mapping[str, np.ndarray]]
    logs: Path
    checkpoints: Checkpoints
    augment: Change | None = None

    def model(
        self, experts: SparseExperts, config: TrainConfig
    ) -> tuple[SparseExperts, dict[str, Any]]:
        """Return the whole model, and its metrics, which replace those of the features' model."""
        made = joined(self.trunk.body, experts)
        metrics = {
            "macs": cost.active(made),
            "parameters": int(made.count_params()),
            "backbone": self.trunk.to_json(),
        }
        if config.fine_tune:
            metrics |= self._fine_tuned(made, config)
        return made, metrics

    def _fine_tuned(self, model: SparseExperts, config: TrainConfig) -> dict[str, Any]:
        """Fine-tune the model; weights that answer worse on validation examples are not kept."""
        stages = Stages(
            model,
            config,
            self.task,
            self.dataset,
            self.data,
            {},
            self.logs,
            self.checkpoints,
            self.augment,
        )
        score = f"validation_{self.task.primary}"
        before, weights = stages.metrics(self._fitted(model)), model.get_weights()
        body, _ = taken_apart(model)
        body.trainable = True
        stages.fine_tune()
        body.trainable = False
        after = stages.metrics(self._fitted(model))
        change = f"{before[score]:.4f} before, {after[score]:.4f} after"
        if after[score] < before[score]:
            model.set_weights(weights)
            print(f"Fine-tuning is undone: {score} {change}", file=sys.stderr)
            return {"fine_tuning": {"kept": False, "before": before[score], "after": after[score]}}
        print(f"Fine-tuning: {score} {change}", file=sys.stderr)
        shown = {name: value for name, value in after.items() if name not in ("history", "seconds")}
        return {
            **shown,
            "fine_tuning": {"kept": True, "before": before[score], "after": after[score]},
        }

    def _fitted(self, model: SparseExperts) -> RoutedTask:
        """The task with what follows from the model's outputs, such as thresholds."""
        return self.task.fitted(model, self.data, self.dataset)
