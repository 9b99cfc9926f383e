"""The fine-tuning that goes with every compression."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tf_keras

from ..objectives.losses import right

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Tuning:
    """A fine-tuning.

    Args:
        targets: what `loss` takes: labels, or what a teacher's answers are packed into.
        validation: inputs and targets, which the best epoch is found by.
    """

    inputs: Arrays
    targets: np.ndarray
    validation: tuple[Arrays, np.ndarray]
    epochs: int
    learning_rate: float
    batch_size: int
    loss: Callable[..., tf.Tensor] | None = None  # cross-entropy with labels
    closeness: Callable[..., tf.Tensor] | None = None  # (rows,), higher is better; 1 for right

    @property
    def steps(self) -> int:
        return max(1, self.epochs * self._epoch)

    @property
    def _epoch(self) -> int:
        return -(-len(self.targets) // self.batch_size)

    def fit(
        self, network: tf_keras.Model, *callbacks: tf_keras.callbacks.Callback, settled: int = 0
    ) -> None:
        """Train; the network ends with the weights of its best epoch.

        Args:
            settled: the step before which no epoch counts.
        """
        schedule = tf_keras.optimizers.schedules.CosineDecay(self.learning_rate, self.steps)
        closeness = self.closeness or right
        network.compile(
            tf_keras.optimizers.Adam(schedule),
            self.loss or tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[tf_keras.metrics.MeanMetricWrapper(closeness, name="closeness")],
        )
        network.fit(
            self.inputs,
            self.targets,
            batch_size=self.batch_size,
            epochs=self.epochs,
            verbose=0,
            validation_data=self.validation,
            validation_batch_size=1024,
            callbacks=[*callbacks, _Best(min(settled // self._epoch, self.epochs - 1))],
        )


class _Best(tf_keras.callbacks.Callback):
    """Ends with the best weights on the validation examples, of the epochs from `first` on."""

    def __init__(self, first: int):
        super().__init__()
        self.first = first

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.best = -math.inf

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        closeness = (logs or {})["val_closeness"]
        if epoch >= self.first and not closeness < self.best:
            # Not `get_weights`, which a clustered layer answers without its centroids.
            self.best = closeness
            self.values = [variable.numpy() for variable in self.model.variables]

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        for variable, value in zip(self.model.variables, self.values, strict=True):
            variable.assign(value)


def copied(network: tf_keras.Model) -> tf_keras.Model:
    """The network again: tfmot's wrappers change the very layers that they are given."""
    copy = tf_keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def like(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
    return type(layer).from_config(layer.get_config())


def last_name(weight: tf.Variable) -> str:
    """The name of a weight within its layer."""
    return str(weight.name.split("/")[-1].split(":")[0])
