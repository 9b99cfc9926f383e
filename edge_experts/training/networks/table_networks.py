"""Networks for rows of a table: one hidden layer."""

from __future__ import annotations

from typing import Any

import tf_keras

from .. import cost
from .shapes import Shapes, parameters, scaled, widened

layers = tf_keras.layers

_UNITS = 32
_ROUTER_UNITS = 16
_TEACHER_UNITS = (256, 128)


def expert(shapes: Shapes, width: float = 1.0) -> tf_keras.Model:
    return _perceptron(shapes, scaled(_UNITS, width), shapes.labels, shapes.activation)


def router(shapes: Shapes, experts: int) -> tf_keras.Model:
    return _perceptron(shapes, _ROUTER_UNITS, experts, "relu")


def projected(shapes: Shapes, units: int) -> tuple[Any, Any]:
    """The inputs, and `units` linear functions of the router's input: the row."""
    inputs = shapes.keras_inputs()
    return inputs, layers.Dense(units)(inputs["x"])


def dense_active(shapes: Shapes, macs: int, width: float = 1.0) -> tf_keras.Model:
    """A wider expert, with the multiply-adds of a router and an expert."""
    return widened(expert, shapes, width, cost.macs, macs)


def dense_all(shapes: Shapes, experts: int, width: float = 1.0) -> tf_keras.Model:
    """A wider expert, with the parameters of all experts."""
    together = experts * parameters(expert(shapes, width))
    return widened(expert, shapes, width, parameters, together)


def teacher(shapes: Shapes, experts: int) -> tf_keras.Model:
    """A network wider and deeper than a baseline: it need not run on a board."""
    inputs = shapes.keras_inputs()
    output = inputs["x"]
    for units in _TEACHER_UNITS:
        output = layers.Dropout(0.2)(layers.Dense(units, "relu")(output))
    return tf_keras.Model(inputs, layers.Dense(shapes.labels)(output))


def _perceptron(shapes: Shapes, units: int, outputs: int, activation: str) -> tf_keras.Model:
    inputs = shapes.keras_inputs()
    output = layers.Dense(units, activation)(inputs["x"])
    return tf_keras.Model(inputs, layers.Dense(outputs)(output))
