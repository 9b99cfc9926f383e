"""Training of one expert on new data, and of the router, with all other experts unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from .. import loop
from ..batches import batch_size, draw
from ..checkpoints import Checkpoints
from ..fitting import Best
from ..model import SparseExperts
from ..objectives.routed_task import RoutedTask
from ..report.reporting import Report
from .widening import gate_of, widened

EPOCHS = 10  # default for an expert; with few rows, as many as _STEPS need
_STEPS = 500
_PATIENCE = 0.4  # share of the epochs
_AT_ONCE = 1024
_ROUTER_EPOCHS = 3  # for each epoch of an expert: misrouted old inputs are forgotten
_FURTHER = 3  # divisor of the learning rate for trained networks


@dataclass(frozen=True)
class Part:
    """Encoded inputs, (examples, ...), and their targets in the form of the data set."""

    inputs: Mapping[str, np.ndarray]
    targets: np.ndarray

    def at(self, rows: np.ndarray) -> Part:
        return Part({name: array[rows] for name, array in self.inputs.items()}, self.targets[rows])

    def with_more(self, other: Part) -> Part:
        return Part(
            {
                name: np.concatenate([array, other.inputs[name]])
                for name, array in self.inputs.items()
            },
            np.concatenate([self.targets, other.targets]),
        )


class Teaching:
    """One extension of a model, which itself is not changed.

    Args:
        task: objective of the experts, and the score that selects among them.
        old, new: parts named "train" and "validation".
        epochs: most epochs of an expert; the router has three times as many. `EPOCHS`, the default,
            is raised to 500 steps for few examples.
        batch_size: largest batch; a fiftieth of a small data set.
        learning_rate: for a fresh network.
        checkpoints: state from which an interrupted extension resumes.
    """

    def __init__(
        self,
        model: SparseExperts,
        task: RoutedTask,
        old: Mapping[str, Part],
        new: Mapping[str, Part],
        *,
        epochs: int,
        batch_size: int,
        learning_rate: float,
        seed: int,
        logs: Path,
        checkpoints: Checkpoints,
    ):
        self.model, self.task, self.old, self.new = model, task, old, new
        self.router: tf_keras.Model = model.router
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.seed, self.logs, self.checkpoints = seed, logs, checkpoints
        self.history: dict[str, dict[str, list[float]]] = {}

    def added(self) -> tuple[SparseExperts, str]:
        """The model with one more expert, and the initialization of that expert."""
        experts = self.model.experts
        new = {name: self._seen(part) for name, part in self.new.items()}
        best = int(np.argmax([self._score(expert, new["validation"]) for expert in experts]))
        candidates = {
            f"a copy of expert {best}": _copy(experts[best]),
            "a fresh network": tf_keras.models.clone_model(experts[best]),
        }
        for start, candidate in candidates.items():
            rate = self.learning_rate / (1 if start == "a fresh network" else _FURTHER)
            self._teach(f"New expert, {start}", candidate, new["train"], new["validation"], rate)
        chosen = max(candidates, key=lambda name: self._score(candidates[name], new["validation"]))
        router = self._router(widened(self.router), len(experts))
        return self._together(router, [*experts, candidates[chosen]]), chosen

    def retrained(self, index: int) -> tuple[SparseExperts, str]:
        """The model with this expert trained further, on its own old inputs and the new data."""
        expert = _copy(self.model.experts[index])
        both = {
            name: self._seen(
                self.old[name]
                .at(np.flatnonzero(self._gate(self.old[name]).argmax(axis=1) == index))
                .with_more(self.new[name])
            )
            for name in ("train", "validation")
        }
        rate = self.learning_rate / _FURTHER
        self._teach(f"Expert {index}", expert, both["train"], both["validation"], rate)
        router = self._router(_copy(self.router), index)
        others = self.model.experts
        return self._together(router, [*others[:index], expert, *others[index + 1 :]]), (
            f"expert {index}"
        )

    def fine_tuned(self) -> SparseExperts:
        """The model's only network, trained further on the new data alone."""
        (network,) = map(_copy, self.model.experts)
        train, validation = self.new["train"], self.new["validation"]
        self._teach("Fine-tuning", network, train, validation, self.learning_rate / _FURTHER)
        return self._together(self.model.router, [network])

    def _teach(
        self, what: str, expert: tf_keras.Model, train: Part, validation: Part, rate: float
    ) -> None:
        loss, metrics = self.task.keras_loss()
        self._fit(
            what,
            tf_keras.Model(expert.input, expert.output),
            loss,
            metrics,
            *((part.inputs, self.task.keras_targets(part.targets)) for part in (train, validation)),
            epochs=self.epochs,
            learning_rate=rate,
            best=f"val_{self.task.primary}",
        )

    def _score(self, network: tf_keras.Model, part: Part) -> float:
        return score(self.task, network, part)

    def _router(self, router: tf_keras.Model, expert: int) -> tf_keras.Model:
        """Train the router to route new inputs to `expert`, and old ones as before.

        The targets of old examples are the old router's probabilities, which have more information
        than its first choice. Old and new examples have equal total weight: their numbers do not
        predict those on the device.
        """
        logits = gate_of(router.output)
        experts = logits.shape[-1]

        def examples(name: str) -> tuple[Mapping[str, np.ndarray], np.ndarray, np.ndarray]:
            old, new = self.old[name], self.new[name]
            targets = np.zeros((len(old.targets) + len(new.targets), experts), np.float32)
            gate = self._gate(old)
            targets[: len(gate), : gate.shape[1]] = np.exp(
                gate - np.logaddexp.reduce(gate, axis=1, keepdims=True)
            )
            targets[len(gate) :, expert] = 1
            counts = np.repeat([len(old.targets), len(new.targets)], [len(gate), len(new.targets)])
            return old.with_more(new).inputs, targets, len(targets) / (2 * counts)

        student = tf_keras.Model(router.input, logits)
        shared = _trunk(router)
        if shared is not None:
            shared.trainable = False  # the unchanged experts use it
        self._fit(
            "Router",
            student,
            tf_keras.losses.CategoricalCrossentropy(from_logits=True),
            ["accuracy"],
            examples("train"),
            examples("validation"),
            epochs=_ROUTER_EPOCHS * self.epochs,
            learning_rate=self.learning_rate,
            best="val_loss",
        )
        router.trainable = True
        return router

    def _fit(
        self,
        what: str,
        network: tf_keras.Model,
        loss: tf_keras.losses.Loss,
        metrics: list[Any],
        train: tuple[Any, ...],
        validation: tuple[Any, ...],
        *,
        epochs: int,
        learning_rate: float,
        best: str,
    ) -> None:
        """Train a network; it ends with the weights of the epoch with the best score."""
        stage = what.lower().replace(",", "").replace(" ", "_")

        def work() -> None:
            size = batch_size(len(train[1]), self.batch_size)
            count = epochs
            if self.epochs == EPOCHS:  # the default is adapted; any other number is used as given
                count = max(epochs, -(-_STEPS // (len(train[1]) // size)))
            drawn = draw(
                train[0],
                train[1],
                size,
                count,
                seed=self.seed,
                weights=train[2] if len(train) > 2 else None,
            )
            rate = tf_keras.optimizers.schedules.CosineDecay(learning_rate, count * drawn.steps)
            network.compile(
                tf_keras.optimizers.Adam(rate), loss, metrics=metrics, weighted_metrics=[]
            )
            patience = max(1, round(_PATIENCE * count))
            callbacks = [
                Best(best, patience, lower=best == "val_loss"),
                Report(what, count, score=best.removeprefix("val_"), patience=patience),
                tf_keras.callbacks.TensorBoard(
                    str(self.logs / stage), write_graph=False, profile_batch=0
                ),
            ]
            running = self.checkpoints.epochs_of(stage)
            history = loop.fit(network, drawn, validation, callbacks, running)
            self.history[what] = {
                key: [round(value, 5) for value in values] for key, values in history.items()
            }

        self.checkpoints.stage(stage, network, self.seed, work, self.history)

    def _gate(self, part: Part) -> np.ndarray:
        """The old router's logits, (examples, experts)."""
        return gate_of(answers(self.router, part.inputs))

    def _seen(self, part: Part) -> Part:
        """Inputs of the experts, with the trunk of the router if they use it."""
        shared = _trunk(self.router)
        if shared is None:
            return part
        return Part({**part.inputs, "trunk": answers(shared, part.inputs)}, part.targets)

    def _together(self, router: tf_keras.Model, experts: list[tf_keras.Model]) -> SparseExperts:
        options = self.model.get_config()
        del options["router"], options["experts"]
        return SparseExperts(router, experts, **options)


def _copy(network: tf_keras.Model) -> tf_keras.Model:
    made = tf_keras.models.clone_model(network)
    made.set_weights(network.get_weights())
    return made


def _trunk(router: tf_keras.Model) -> tf_keras.Model | None:
    """The trunk of a router, if there is one."""
    if not isinstance(router.output, dict) or "trunk" not in router.output:
        return None
    return tf_keras.Model(router.input, router.output["trunk"])


def answers(network: tf_keras.Model, inputs: Mapping[str, np.ndarray]) -> Any:
    """Outputs of the network, (examples, ...), without the tracing of `predict`."""
    count = len(next(iter(inputs.values())))
    parts = [
        network({name: array[start : start + _AT_ONCE] for name, array in inputs.items()})
        for start in range(0, count, _AT_ONCE)
    ]
    return tf.nest.map_structure(lambda *outputs: np.concatenate(outputs), *parts)


def score(task: RoutedTask, network: tf_keras.Model, part: Part) -> float:
    """The task's primary score of a network on a part; higher is better."""
    return float(task.scores(answers(network, part.inputs), part.targets)[task.primary])
