"""Layers of a user's own module, registered with tf_keras as its documentation advises."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

layers = tf_keras.layers
_registered = tf_keras.saving.register_keras_serializable("layer_matrix")


@_registered
class Doubled(tf_keras.layers.Layer):
    """A layer without parameters."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return 2.0 * inputs


@_registered
class Scaled(tf_keras.layers.Layer):
    """A layer with parameters, and a loss of its own."""

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(name="scale", shape=shape[-1:], initializer="ones")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        self.add_loss(0.01 * tf.reduce_sum(self.scale**2))
        return inputs * self.scale


@_registered
class Parted(tf_keras.layers.Layer):
    """A layer with two results, that differs in training."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        first, second = tf.split(inputs, 2, axis=-1)
        return (first + 0.1 if training else first), second


@_registered
class Block(tf_keras.Model):
    """A subclassed model as a layer."""

    def __init__(self, units: int, **options: Any):
        super().__init__(**options)
        self.units = units
        self.first, self.second = layers.Dense(units, "relu"), layers.Dense(units)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return self.second(self.first(inputs))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@_registered
class Halved(tf_keras.layers.Wrapper):
    """Half of the wrapped layer's result."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return 0.5 * self.layer(inputs)


@_registered
class Cell(tf_keras.layers.AbstractRNNCell):
    """A cell whose state is the mean of what it saw, with a kernel."""

    def __init__(self, units: int, **options: Any):
        super().__init__(**options)
        self.units = units

    @property
    def state_size(self) -> int:
        return self.units

    @property
    def output_size(self) -> int:
        return self.units

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(name="kernel", shape=(shape[-1], self.units))
        self.built = True

    def call(self, inputs: tf.Tensor, states: Any) -> tuple[tf.Tensor, list[tf.Tensor]]:
        state = 0.5 * states[0] + 0.5 * tf.matmul(inputs, self.kernel)
        return state, [state]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@_registered
class Composite(tf_keras.layers.Layer):
    """A layer made of others, with a residual."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self.inner = [layers.Dense(8, "relu"), layers.Dense(6)]
        self.norm = layers.LayerNormalization()

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        hidden = inputs
        for layer in self.inner:
            hidden = layer(hidden)
        return self.norm(inputs + hidden)


@_registered
class MaskedMean(tf_keras.layers.Layer):
    """A layer that uses the mask of its input."""

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        weights = tf.ones_like(inputs[..., :1])
        if mask is not None:
            weights *= tf.cast(mask, inputs.dtype)[..., None]
        return tf.reduce_sum(inputs * weights, 1) / (tf.reduce_sum(weights, 1) + 1e-3)


class Unregistered(tf_keras.layers.Layer):
    """A layer that a user forgot to register."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return inputs + 1.0


@_registered
def squared_relu(x: tf.Tensor) -> tf.Tensor:
    """An activation of the user's own."""
    return tf.square(tf.nn.relu(x))


def feature_columns(x: Any) -> Any:
    return layers.DenseFeatures([tf.feature_column.numeric_column("x", (6,))])({"x": x})
