"""Function of a network for one input, as converters require.

Imported only in worker processes: it needs TensorFlow.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras


def signature(network: tf_keras.Model) -> dict[str, tf.TensorSpec]:
    """Return the `tf.TensorSpec` of each input by name, with batch size 1.

    Small boards answer one input at a time, and with a fixed batch size the interpreter plans its
    memory once.
    """
    return {
        tensor.name: tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype, name=tensor.name)
        for tensor in network.inputs
    }


def answering(network: tf_keras.Model) -> Any:
    """Create the `tf.function` of that signature with the network's answers."""

    @tf.function(input_signature=[signature(network)])
    def answer(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        return network(inputs, training=False)

    return answer
