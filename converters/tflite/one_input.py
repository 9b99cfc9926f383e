"""A network as a function of one input, which is what converters take.

Imported in worker processes only: it needs TensorFlow.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras


def signature(network: tf_keras.Model) -> dict[str, tf.TensorSpec]:
    """The inputs by name, for one input at a time.

    Small boards answer so, and with a fixed batch the interpreter plans its memory once.
    """
    return {
        tensor.name: tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype, name=tensor.name)
        for tensor in network.inputs
    }


def answering(network: tf_keras.Model) -> Any:
    """The `tf.function` of that signature that answers as the network does."""

    @tf.function(input_signature=[signature(network)])
    def answer(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        return network(inputs, training=False)

    return answer
