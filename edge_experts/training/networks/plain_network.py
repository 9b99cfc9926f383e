"""Custom networks in a form that can be saved and converted, with the same answers."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from ..layers import Operations

HALVES = ("mixed_float16", "mixed_bfloat16")  # policies of mixed precision
# Tolerance of outputs in float32: some steps of bfloat16, which has 8 bits.
ROUNDING_OF_HALVES = 0.02


def plain(network: tf_keras.Model) -> tf_keras.Model:
    """Return the network, with replacements for two kinds of layers; nested networks too.

    - Of a Lambda layer, Keras saves the bytes of its code, which only the same Python version can
      load. A layer of the TensorFlow operations that its function calls replaces it.
    - Layers of mixed precision compute in float32, since TFLite's converter has no kernels for
      half precision. Their parameters are float32 already.
    """
    if not any(map(_is_replaced, network.submodules)):
        return network
    replaced = tf_keras.models.clone_model(network, clone_function=_replacement)
    replaced._name = network.name
    replaced.set_weights(network.get_weights())
    return replaced


def _is_replaced(layer: Any) -> bool:
    if isinstance(layer, tf_keras.layers.Lambda):
        return True
    return isinstance(layer, tf_keras.layers.Layer) and _policy(layer) in HALVES


def _policy(layer: tf_keras.layers.Layer) -> str:
    return str(layer.dtype_policy.name)


def _replacement(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
    if isinstance(layer, tf_keras.Model) and layer.inputs is not None:
        return tf_keras.models.clone_model(layer, clone_function=_replacement)
    if isinstance(layer, tf_keras.layers.Lambda):
        return _operations(layer)
    return type(layer).from_config(in_float32(layer.get_config()))


def _operations(layer: tf_keras.layers.Lambda) -> Operations:
    """Layer with the operations that the layer's function calls."""
    node = layer.inbound_nodes[0]
    inputs = tf.nest.map_structure(
        lambda tensor: tf_keras.Input(tensor.shape[1:], dtype=tensor.dtype), node.input_tensors
    )
    function, options = layer.function, dict(layer.arguments)
    operations = tf_keras.Model(inputs, function(inputs, **options))
    return Operations(operations, name=layer.name)


def in_float32(config: Any) -> Any:
    """Replace the policies of half precision in a configuration, of wrapped layers too."""
    if isinstance(config, dict):
        return {key: in_float32(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(in_float32(value) for value in config)
    return "float32" if config in HALVES else config
