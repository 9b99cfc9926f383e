"""The model in Keras: two routers, and experts of two layers that map a state to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras


@tf_keras.saving.register_keras_serializable("two_layers")
class LayeredExperts(tf_keras.Model):
    """A state of `size` numbers, routed in two layers in each of `steps` steps.

    In training the gate is a softmax, which `sharpness` turns into a choice.

    Args:
        experts_each: experts of a layer.
    """

    combine, top_k = "top", 1

    def __init__(self, size: int, experts_each: int, steps: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.size, self.experts_each, self.steps = size, experts_each, steps
        self.routers = [_network(size, experts_each, f"router_{layer}") for layer in range(2)]
        self.experts = [
            _network(size, size, f"expert_{place}") for place in range(2 * experts_each)
        ]
        self.sharpness = tf.Variable(1.0, trainable=False)
        self.built = True

    def of_layer(self, layer: int) -> Sequence[tf_keras.Model]:
        """Experts that a layer's router picks from."""
        return self.experts[layer * self.experts_each : (layer + 1) * self.experts_each]

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """The last states, (rows, size), of inputs (rows, size)."""
        state = inputs["x"] if isinstance(inputs, dict) else inputs
        for _ in range(self.steps):
            for layer, router in enumerate(self.routers):
                logits = router(state)
                gate = tf.one_hot(tf.argmax(logits, axis=-1), self.experts_each)
                if training:
                    gate = tf.nn.softmax(logits * self.sharpness)
                states = tf.stack([expert(state) for expert in self.of_layer(layer)], axis=1)
                state = tf.reduce_sum(gate[:, :, None] * states, axis=1)
        return state

    def visited(self, inputs: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """States before each routing, (rows, size), and the experts picked there, (rows,)."""
        state, found = inputs, []
        for _ in range(self.steps):
            for layer, router in enumerate(self.routers):
                picks = tf.argmax(router(state), axis=-1)
                found.append((state, picks + layer * self.experts_each))
                states = tf.stack([expert(state) for expert in self.of_layer(layer)], axis=1)
                state = tf.gather(states, picks, batch_dims=1)
        return found

    def get_config(self) -> dict[str, Any]:
        own = {"size": self.size, "experts_each": self.experts_each, "steps": self.steps}
        return {**super().get_config(), **own}


def _network(size: int, outputs: int, name: str) -> tf_keras.Model:
    state = tf_keras.Input((size,), name="s")
    return tf_keras.Model(state, tf_keras.layers.Dense(outputs)(state), name=name)
