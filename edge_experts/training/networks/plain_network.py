"""Custom networks in a form that can be saved and converted, with the same answers."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from ...errors import UsageError
from ..custom_errors import named
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

    Raises:
        UsageError: a layer has no replacement with the same answers, or a function of TensorFlow
            has a variable; the message has the name.
    """
    _refuse_variables(network)
    if not any(map(_is_replaced, network.submodules)):
        return network
    _refuse_own_class(network)
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
    if isinstance(layer, tf_keras.layers.Lambda):
        return _operations(layer)
    if isinstance(layer, tf_keras.Model) and layer.inputs is not None:
        if any(map(_is_replaced, layer.submodules)):
            _refuse_own_class(layer)
            return tf_keras.models.clone_model(layer, clone_function=_replacement)
        return type(layer).from_config(layer.get_config())
    config = in_float32(layer.get_config())
    if _has_lambda(config):
        raise UsageError(
            f"its layer {layer.name!r} ({type(layer).__name__}) wraps a Lambda, whose Python code "
            "cannot be saved in it; call TensorFlow's functions on the tensors, or wrap a layer of "
            "your own class"
        )
    return type(layer).from_config(config)


def _refuse_own_class(network: tf_keras.Model) -> None:
    """Refuse a model whose class may compute otherwise than its layers, which alone are copied."""
    if not type(network).__module__.startswith("tf_keras."):
        raise UsageError(
            f"its model {network.name!r} is of the class {type(network).__name__} and has a Lambda "
            "or a layer of mixed precision, which cannot be replaced in it; make it a "
            "tf_keras.Model(inputs, outputs), or use TensorFlow's functions and float32"
        )


def _operations(layer: tf_keras.layers.Lambda) -> Operations:
    """Layer with the operations that the layer's function calls."""
    first, *others = layer.inbound_nodes
    _refuse_mode_and_mask(layer, first.input_tensors)
    if any(_specs(node.input_tensors) != _specs(first.input_tensors) for node in others):
        raise UsageError(
            f"its layer {layer.name!r} is a Lambda that is called with different shapes; use one "
            "Lambda for each"
        )
    inputs = tf.nest.map_structure(
        lambda tensor: tf_keras.Input(tensor.shape[1:], dtype=tensor.dtype), first.input_tensors
    )
    function, options = layer.function, dict(layer.arguments)
    with named(f"its layer {layer.name!r} (Lambda)", "be replaced by TensorFlow's operations"):
        operations = tf_keras.Model(inputs, function(inputs, **options))
        if _specs(operations(inputs)) != _specs(first.output_tensors):
            raise UsageError("the shape or type of its result is not known from them")
    variables = [*operations.weights, *_variables(operations)]
    if variables:
        raise UsageError(
            f"its layer {layer.name!r} is a Lambda that uses {_names(variables)}, which Keras does "
            "not train with it; call the layer that has these parameters, or write a layer class"
        )
    return Operations(operations, name=layer.name)


def _specs(tensors: Any) -> list[tuple[Any, ...]]:
    return [(tuple(tensor.shape), tensor.dtype) for tensor in tf.nest.flatten(tensors)]


def _refuse_variables(network: tf_keras.Model) -> None:
    """Refuse variables in TensorFlow's functions: Keras neither trains nor saves them.

    Raises:
        UsageError: the message has the variables and the function.
    """
    for part in (network, *network.submodules):
        if isinstance(part, tf_keras.Model) and part.inputs is not None and _variables(part):
            raise UsageError(
                f"it calls TensorFlow's functions with {_names(_variables(part))}, which Keras "
                "neither trains nor saves there; use a layer that has these parameters"
            )


def _variables(network: tf_keras.Model) -> list[tf.Variable]:
    """Variables among the arguments of the network's calls."""
    calls = [
        (node.call_args, node.call_kwargs)
        for layer in network.layers
        for node in layer.inbound_nodes
    ]
    return [part for part in tf.nest.flatten(calls) if isinstance(part, tf.Variable)]


def _names(variables: list[tf.Variable]) -> str:
    return ", ".join(variable.name for variable in variables[:4])


def _refuse_mode_and_mask(layer: tf_keras.layers.Lambda, inputs: Any) -> None:
    """Refuse a function that depends on more than its tensors."""
    masked = any(getattr(part, "_keras_mask", None) is not None for part in tf.nest.flatten(inputs))
    if layer._fn_expects_training_arg:
        what = "takes `training`"
    elif layer.mask is not None or (masked and layer._fn_expects_mask_arg):
        what = "takes or gives a mask"
    else:
        return
    raise UsageError(
        f"its layer {layer.name!r} is a Lambda that {what}, and is replaced by the operations on "
        "its tensors alone; write a layer class, or use one of Keras's layers"
    )


def _has_lambda(config: Any) -> bool:
    """True if a configuration has the code of a Lambda."""
    if isinstance(config, dict):
        return config.get("class_name") == "Lambda" or any(map(_has_lambda, config.values()))
    return isinstance(config, list | tuple) and any(map(_has_lambda, config))


def in_float32(config: Any) -> Any:
    """Replace the policies of half precision in a configuration, of wrapped layers too."""
    if isinstance(config, dict):
        return {key: in_float32(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(in_float32(value) for value in config)
    return "float32" if config in HALVES else config
