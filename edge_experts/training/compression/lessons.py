"""Fine-tuning data of an expert in compression: the inputs that are routed to it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from ..batches import batch_size
from ..checkpoints import Checkpoints
from ..config import TrainConfig
from ..inference import predict
from ..model import SparseExperts
from ..objectives.routed_task import RoutedTask
from .tuning import Arrays, Tuning

_ENOUGH = 1000  # below this number, examples of an expert are filled up with others
_STEPS = 1000  # default number of fine-tuning steps
_TUNING = 1 / 3  # factor on the learning rate, as for trained experts
_LEARNING_RATE = 2e-3  # for runs without a learning rate, because they were not trained here


class Lessons:
    """The fine-tuning of each expert of a model.

    An expert is trained on the targets and a teacher's answers. Without a teacher its own former
    answers are used: they preserve its behavior, also on inputs that are routed to others.

    Args:
        data: encoded inputs by split, "train" and "validation".
        wanted: targets of the data set, likewise.
        config: configuration of the model's training.
        teacher: a dense network.
        epochs: number of epochs; by default as many as about 1,000 steps.
        task: objective of the experts.
    """

    def __init__(
        self,
        model: SparseExperts,
        data: Mapping[str, Arrays],
        wanted: Mapping[str, np.ndarray],
        config: Mapping[str, Any],
        *,
        teacher: SparseExperts | None = None,
        epochs: int | None = None,
        task: RoutedTask,
    ):
        self._model, self._data, self._wanted, self._task = model, data, wanted, task
        self._config, self._teacher, self._epochs = config, teacher, epochs

    def of(self, expert: int, checkpoints: Checkpoints | None = None) -> Tuning:
        """Fine-tuning of one expert, which resumes from its checkpoints."""
        rows = {split: self._rows(split, expert) for split in self._data}
        inputs = {
            split: {name: array[rows[split]] for name, array in self._seen[split].items()}
            for split in rows
        }
        targets = {
            split: self._targets(split, expert, inputs[split], rows[split]) for split in rows
        }
        size = batch_size(len(targets["train"]), self._setting("batch_size"))
        steps = len(targets["train"]) // size
        answers = self._task.answers(
            self._setting("distillation"), self._setting("distillation_temperature")
        )
        return Tuning(
            inputs["train"],
            targets["train"],
            (inputs["validation"], targets["validation"]),
            epochs=self._epochs or max(2, round(_STEPS / steps)),
            learning_rate=self._rate * _TUNING,
            batch_size=size,
            loss=lambda truth, outputs: answers.of(outputs, truth),
            closeness=self._task.closeness,
            seed=self._config.get("seed") or 0,
            checkpoints=checkpoints,
        )

    @cached_property
    def _owners(self) -> dict[str, np.ndarray]:
        if self._model.router is None:
            return {split: np.zeros(len(rows), int) for split, rows in self._wanted.items()}
        return {split: self._model.route(inputs) for split, inputs in self._data.items()}

    @cached_property
    def _seen(self) -> dict[str, dict[str, np.ndarray]]:
        return {split: self._model.expert_inputs(inputs) for split, inputs in self._data.items()}

    def _rows(self, split: str, expert: int) -> np.ndarray:
        owners = self._owners[split]
        own, others = np.flatnonzero(owners == expert), np.flatnonzero(owners != expert)
        return np.concatenate([own, others[: max(0, _ENOUGH - len(own))]])

    def _targets(self, split: str, expert: int, inputs: Arrays, rows: np.ndarray) -> np.ndarray:
        """(examples, columns): targets in the form for networks, and the teacher's outputs."""
        if self._teacher is None:
            taught = predict(self._model.experts[expert], inputs)
        else:
            seen = {name: array[rows] for name, array in self._data[split].items()}
            taught = predict(self._teacher, seen)
        own = self._task.network_targets(self._wanted[split][rows])
        return np.concatenate([own, taught], axis=1).astype(np.float32)

    @property
    def _rate(self) -> float:
        name = "wide_learning_rate" if self._config.get("dense") == "all" else "learning_rate"
        return float(self._config.get(name, _LEARNING_RATE))

    def _setting(self, name: str) -> Any:
        return self._config.get(name, getattr(TrainConfig(), name))
