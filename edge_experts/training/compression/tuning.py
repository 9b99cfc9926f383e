"""Fine-tuning of a compressed network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tf_keras

from .. import loop
from ..batches import draw
from ..checkpoints import Checkpoints
from ..fitting import Best
from ..objectives.losses import right

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Tuning:
    """Settings and data of a fine-tuning.

    Args:
        targets: targets of `loss`: labels, or targets packed with a teacher's answers.
        validation: inputs and targets that determine the best epoch.
        seed: seed of the order of the examples.
        checkpoints: state from which an interrupted fine-tuning resumes.
    """

    inputs: Arrays
    targets: np.ndarray
    validation: tuple[Arrays, np.ndarray]
    epochs: int
    learning_rate: float
    batch_size: int
    loss: Callable[..., tf.Tensor] | None = None  # cross-entropy with labels
    closeness: Callable[..., tf.Tensor] | None = None  # (rows,), higher is better; 1 for right
    seed: int = 0
    checkpoints: Checkpoints | None = None

    @property
    def steps(self) -> int:
        return max(1, self.epochs * self._epoch)

    @property
    def _size(self) -> int:
        return min(self.batch_size, len(self.targets))

    @property
    def _epoch(self) -> int:
        return len(self.targets) // self._size

    def fit(
        self,
        network: tf_keras.Model,
        *callbacks: tf_keras.callbacks.Callback,
        stage: str = "tuning",
        settled: int = 0,
    ) -> None:
        """Train; the network ends with the weights of its best epoch.

        Args:
            stage: name of its state in the checkpoints.
            settled: step before which no epoch counts as the best.
        """
        schedule = tf_keras.optimizers.schedules.CosineDecay(self.learning_rate, self.steps)
        closeness = self.closeness or right
        network.compile(
            tf_keras.optimizers.Adam(schedule),
            self.loss or tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[tf_keras.metrics.MeanMetricWrapper(closeness, name="closeness")],
        )
        best = Best("val_closeness", first=min(settled // self._epoch, self.epochs - 1))
        loop.fit(
            network,
            draw(self.inputs, self.targets, self._size, self.epochs, seed=self.seed),
            self.validation,
            [*callbacks, best],
            None if self.checkpoints is None else self.checkpoints.epochs_of(stage),
        )


def copied(network: tf_keras.Model) -> tf_keras.Model:
    """Copy the network: the wrappers of tfmot change the layers that they get."""
    copy = tf_keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def like(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
    return type(layer).from_config(layer.get_config())


def last_name(weight: tf.Variable) -> str:
    """Name of a weight within its layer."""
    return str(weight.name.split("/")[-1].split(":")[0])
