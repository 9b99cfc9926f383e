"""Operations on tensors in networks of Keras 3, such as `x + y`, by TensorFlow's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

MODULE = "keras.src.ops."  # begin of the module of every operation in a configuration

_Operation = Callable[..., Any]

# Those without settings of their own; calls have the tensors and constants as arguments.
_PLAIN: Mapping[str, _Operation] = {
    "Absolute": tf.abs,
    "Add": tf.add,
    "Divide": tf.divide,
    "Equal": tf.equal,
    "Exp": tf.exp,
    "Greater": tf.greater,
    "GreaterEqual": tf.greater_equal,
    "Less": tf.less,
    "LessEqual": tf.less_equal,
    "Log": tf.math.log,
    "LogicalAnd": tf.logical_and,
    "LogicalNot": tf.logical_not,
    "LogicalOr": tf.logical_or,
    "Matmul": tf.matmul,
    "Maximum": tf.maximum,
    "Minimum": tf.minimum,
    "Multiply": tf.multiply,
    "Negative": tf.negative,
    "NotEqual": tf.not_equal,
    "Power": tf.pow,
    "Relu": tf.nn.relu,
    "Sigmoid": tf.sigmoid,
    "Sqrt": tf.sqrt,
    "Square": tf.square,
    "Subtract": tf.subtract,
    "Tanh": tf.tanh,
    "TrueDivide": tf.divide,
    "Where": tf.where,
}

# Those with settings, from their configuration.
_WITH_SETTINGS: Mapping[str, Callable[[Mapping[str, Any]], _Operation]] = {
    "Cast": lambda config: lambda x: tf.cast(x, config["dtype"]),
    "Concatenate": lambda config: lambda xs: tf.concat(xs, config["axis"]),
    "ExpandDims": lambda config: lambda x: tf.expand_dims(x, config["axis"]),
    "GetItem": lambda config: lambda x, key: x[_key(key)],
    "Max": lambda config: lambda x: tf.reduce_max(x, config["axis"], config["keepdims"]),
    "Mean": lambda config: lambda x: tf.reduce_mean(x, config["axis"], config["keepdims"]),
    "Min": lambda config: lambda x: tf.reduce_min(x, config["axis"], config["keepdims"]),
    "Reshape": lambda config: lambda x: tf.reshape(x, config["newshape"]),
    "Split": lambda config: lambda x: tf.split(x, config["indices_or_sections"], config["axis"]),
    "Squeeze": lambda config: lambda x: tf.squeeze(x, config["axis"]),
    "Stack": lambda config: lambda xs: tf.stack(xs, config["axis"]),
    "Sum": lambda config: lambda x: tf.reduce_sum(x, config["axis"], config["keepdims"]),
    "Transpose": lambda config: lambda x: tf.transpose(x, config["axes"]),
}


def operation(kind: str, config: Mapping[str, Any]) -> _Operation | None:
    """Return the function of an operation; None if it has no counterpart here.

    Settings that a counterpart ignores show in the comparison of the answers.
    """
    if kind in _PLAIN:
        return _PLAIN[kind]
    return _WITH_SETTINGS[kind](config) if kind in _WITH_SETTINGS else None


def _key(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key
