"""The stages of a training: one expert, the router, the mixture, each expert on its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from ..datasets import Dataset
from ..progress import Progress
from . import cost
from .config import TrainConfig
from .losses import Distillation
from .model import SparseExperts
from .partition import text_kinds
from .reporting import Report, expert_usage
from .selection import ExpertSelection, copy_parameters

Arrays = Mapping[str, np.ndarray]


_STEPS, _SMALLEST_BATCH = 50, 16


class Stages:
    """The stages of one training."""

    def __init__(
        self,
        model: SparseExperts,
        teacher: SparseExperts | None,
        config: TrainConfig,
        dataset: Dataset,
        data: Mapping[str, Arrays],
        logs: Path,
    ):
        self.model, self.teacher = model, teacher
        self.config, self.logs = config, logs
        self.data = data
        self.targets = {name: getattr(dataset, name).targets for name in data}
        # Small data sets get smaller batches, or an epoch would be a handful of steps.
        fitting = len(self.targets["train"]) // _STEPS
        self.batch_size = min(config.batch_size, max(_SMALLEST_BATCH, fitting))
        self.random = np.random.default_rng(config.seed)
        self.history: dict[str, dict[str, list[float]]] = {}

    def run(self) -> None:
        config, experts = self.config, self.model.experts
        if len(experts) == 1:
            wide = config.dense == "all"
            rate = config.wide_learning_rate if wide else config.learning_rate
            self._fit(self.model, "Dense network", config.dense_epochs, rate)
            return
        if config.warm_epochs and self.model.router is not None:
            one = SparseExperts(None, experts[:1], decay=config.decay)
            self._fit(one, "One expert", config.warm_epochs, config.learning_rate)
            copy_parameters(experts[0], experts[1:], config.perturb, self.random)
        if self.model.router is not None and config.router_epochs:
            self._start_router(self.model.router)
        self._fit(
            self.model,
            "Router and experts",
            config.epochs,
            config.mixture_learning_rate,
            *self._selection(),
        )
        if self.model.router is not None and config.tune_epochs:
            self._tune()

    def metrics(self) -> dict[str, Any]:
        router = self.model.router
        parts = {"router": 0 if router is None else cost.macs(router)}
        parts["expert"] = cost.macs(self.model.experts[0])
        asked = len(self.model.experts) if self.model.combine == "sum" else self.model.top_k
        parts["active"] = parts["router"] + asked * parts["expert"]
        return {
            "validation_accuracy": self._accuracy("validation"),
            "test_accuracy": self._accuracy("test"),
            "expert_usage": expert_usage(self.model, self.data["validation"]),
            "macs": parts,
            "parameters": int(self.model.count_params()),
            "history": self.history,
        }

    def _fit(
        self,
        model: tf_keras.Model,
        what: str,
        epochs: int,
        learning_rate: float,
        *more: tf_keras.callbacks.Callback,
    ) -> None:
        inputs, targets = self.data["train"], self.targets["train"]
        steps = max(1, -(-len(targets) // self.batch_size)) * epochs
        model.compile(
            _optimizer(learning_rate, steps),
            tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[
                "accuracy",
                # The loss alone, without the penalties that Keras adds to what it calls loss.
                tf_keras.metrics.SparseCategoricalCrossentropy(
                    name="cross_entropy", from_logits=True
                ),
            ],
        )
        validation = self.data["validation"]
        # By accuracy: overfitting first makes scores too sure of themselves, which the calibration
        # after conversion takes back, and costs right answers only later.
        stopping = tf_keras.callbacks.EarlyStopping(
            "val_accuracy", patience=self.config.patience, restore_best_weights=True
        )
        board = tf_keras.callbacks.TensorBoard(
            str(self.logs / what.lower().replace(" ", "_")), write_graph=False, profile_batch=0
        )
        made = model.fit(
            inputs,
            targets,
            batch_size=self.batch_size,
            epochs=epochs,
            verbose=0,
            validation_data=(validation, self.targets["validation"]),
            callbacks=[*more, Report(what, epochs, validation), board, stopping],
        )
        self.history[what] = {
            key: [round(float(value), 5) for value in values]
            for key, values in made.history.items()
        }

    def _start_router(self, router: tf_keras.Model) -> None:
        """Teach the router kinds of inputs found without labels, before experts exist."""
        config, data = self.config, self.data["train"]
        kinds = text_kinds(data["ids"], data["weights"], config.experts, config.seed)
        steps = -(-len(kinds) // self.batch_size) * config.router_epochs
        student = tf_keras.Model(router.inputs, router.outputs)
        student.compile(
            _optimizer(config.learning_rate, steps),
            tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        student.fit(
            data,
            kinds,
            batch_size=self.batch_size,
            epochs=config.router_epochs,
            verbose=0,
            callbacks=[Report("Router on kinds of inputs", config.router_epochs, None)],
        )

    def _selection(self) -> list[ExpertSelection]:
        config = self.config
        if config.select == "none":
            return []
        return [
            ExpertSelection(
                config.select,
                self.data["validation"],
                self.targets["validation"],
                epochs=config.select_epochs,
                perturb=config.perturb,
                seed=config.seed,
            )
        ]

    def _tune(self) -> None:
        """Train each expert on what the frozen router sends to it, after a teacher's answers.

        The teacher is the mixture of all experts, or a dense network as large as they together.
        """
        config, model = self.config, self.model
        teach = model.mixture
        if self.teacher is not None:
            rate = config.wide_learning_rate
            self._fit(self.teacher, "Dense teacher", config.teacher_epochs, rate)
            teach = self.teacher.mixture
        packed = {
            split: np.column_stack([self.targets[split], teach(self.data[split])]).astype(
                np.float32
            )
            for split in ("train", "validation")
        }
        owners = {split: model.route(self.data[split]) for split in packed}
        with Progress("Experts on their own inputs", len(model.experts)) as progress:
            for index, expert in enumerate(model.experts):
                rows = {split: np.flatnonzero(owners[split] == index) for split in packed}
                parts = {split: _take(self.data[split], rows[split]) for split in packed}
                if len(rows["train"]) < self.batch_size or not len(rows["validation"]):
                    progress.step(f"expert {index}: too few inputs, left as it is")
                    continue
                steps = -(-len(rows["train"]) // self.batch_size) * config.tune_epochs
                # The same layers in another model, so that what is saved does not need our loss.
                student = tf_keras.Model(expert.inputs, expert.outputs)
                student.compile(
                    _optimizer(config.learning_rate / 3, steps), Distillation(config.distillation)
                )
                validation = (parts["validation"], packed["validation"][rows["validation"]])
                before = (expert.get_weights(), student.evaluate(*validation, verbose=0))
                student.fit(
                    parts["train"],
                    packed["train"][rows["train"]],
                    verbose=0,
                    batch_size=self.batch_size,
                    epochs=config.tune_epochs,
                )
                after = student.evaluate(*validation, verbose=0)
                if after > before[1]:
                    expert.set_weights(before[0])
                kept = "kept" if after <= before[1] else "not better, left as it was"
                progress.step(f"expert {index}: loss {before[1]:.4f} to {after:.4f}, {kept}")

    def _accuracy(self, split: str) -> float:
        answers = self.model.predict(self.data[split], batch_size=1024, verbose=0)
        return round(float(np.mean(answers.argmax(axis=1) == self.targets[split])), 5)


def _optimizer(learning_rate: float, steps: int) -> tf_keras.optimizers.Optimizer:
    return tf_keras.optimizers.Adam(tf_keras.optimizers.schedules.CosineDecay(learning_rate, steps))


def _take(arrays: Arrays, rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: array[rows] for name, array in arrays.items()}
