"""The fine-tuning that goes with every compression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tf_keras

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
        network.compile(
            tf_keras.optimizers.Adam(schedule),
            self.loss or tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[right],
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
        self.best = -1.0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        share = (logs or {})["val_right"]
        if epoch >= self.first and share >= self.best:
            # Not `get_weights`, which a clustered layer answers without its centroids.
            self.best = share
            self.values = [variable.numpy() for variable in self.model.variables]

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        for variable, value in zip(self.model.variables, self.values, strict=True):
            variable.assign(value)


def right(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Whether each answer is right: targets are labels, or begin with them."""
    labels = tf.cast(tf.reshape(targets, (tf.shape(logits)[0], -1))[:, 0], tf.int64)
    return tf.cast(tf.argmax(logits, axis=-1) == labels, tf.float32)


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
