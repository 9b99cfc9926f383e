"""Networks for the features of a backbone: linear heads, and a linear gate."""

from __future__ import annotations

from typing import Any

import tf_keras

from ...format.manifest import TRUNK
from .. import cost
from .shapes import Shapes, parameters, scaled, widened

layers = tf_keras.layers

_DROPOUT = 0.2
_UNITS = 8  # of the hidden layer of a dense baseline, at width 1
_TEACHER_UNITS = 256


def expert(shapes: Shapes, width: float = 1.0) -> tf_keras.Model:
    """A linear function of the features, of any width: experts are a few kilobytes."""
    return _head(shapes, 0)


def router(shapes: Shapes, experts: int) -> tf_keras.Model:
    inputs, output = projected(shapes, experts)
    return tf_keras.Model(inputs, output)


def projected(shapes: Shapes, units: int) -> tuple[Any, Any]:
    """The inputs, and `units` linear functions of the features."""
    inputs = shapes.keras_inputs()
    return inputs, layers.Dense(units)(inputs[TRUNK])


def dense_active(shapes: Shapes, macs: int, width: float = 1.0) -> tf_keras.Model:
    """A head with a hidden layer, and the multiply-adds of a gate and an expert."""
    return widened(_hidden, shapes, width, cost.macs, macs)


def dense_all(shapes: Shapes, experts: int, width: float = 1.0) -> tf_keras.Model:
    """A head with a hidden layer, and the parameters of all experts."""
    together = experts * parameters(expert(shapes))
    return widened(_hidden, shapes, width, parameters, together)


def teacher(shapes: Shapes, experts: int) -> tf_keras.Model:
    """A head with a wide hidden layer."""
    return _head(shapes, _TEACHER_UNITS)


def _hidden(shapes: Shapes, width: float) -> tf_keras.Model:
    return _head(shapes, scaled(_UNITS, width))


def _head(shapes: Shapes, units: int) -> tf_keras.Model:
    inputs = shapes.keras_inputs()
    output = layers.Dropout(_DROPOUT)(inputs[TRUNK])
    if units:
        output = layers.Dense(units, shapes.activation)(output)
    return tf_keras.Model(inputs, layers.Dense(shapes.labels)(output))
