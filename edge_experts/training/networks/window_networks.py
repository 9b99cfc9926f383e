"""Networks for windows of sensors, (time, channels): convolutions over time."""

from __future__ import annotations

from typing import Any

import tf_keras

from .. import cost
from .shapes import Shapes, parameters, scaled, widened

layers = tf_keras.layers

_FILTERS = (16, 32)
_ROUTER_UNITS = 16
_ROUTER_STEPS = 8


def expert(shapes: Shapes, width: float = 1.0) -> tf_keras.Model:
    return _convolutions(shapes, width)


def router(shapes: Shapes, experts: int) -> tf_keras.Model:
    """Window in a few steps, and one hidden layer."""
    inputs, output = projected(shapes, _ROUTER_UNITS)
    output = layers.Activation("relu")(output)
    return tf_keras.Model(inputs, layers.Dense(experts)(output))


def projected(shapes: Shapes, units: int) -> tuple[Any, Any]:
    """The inputs, and `units` linear functions of the router's input: the window in few steps."""
    inputs = shapes.keras_inputs()
    pool = max(1, inputs["x"].shape[1] // _ROUTER_STEPS)
    output = layers.Flatten()(layers.AveragePooling1D(pool)(inputs["x"]))
    return inputs, layers.Dense(units)(output)


def dense_active(shapes: Shapes, macs: int, width: float = 1.0) -> tf_keras.Model:
    """A wider expert, with the multiply-adds of a router and an expert."""
    return widened(expert, shapes, width, cost.macs, macs)


def dense_all(shapes: Shapes, experts: int, width: float = 1.0) -> tf_keras.Model:
    """A wider expert, with the parameters of all experts."""
    together = experts * parameters(expert(shapes, width))
    return widened(expert, shapes, width, parameters, together)


def teacher(shapes: Shapes, experts: int) -> tf_keras.Model:
    return dense_all(shapes, experts)


def _convolutions(shapes: Shapes, width: float) -> tf_keras.Model:
    inputs = shapes.keras_inputs()
    output = inputs["x"]
    for filters in _FILTERS:
        output = layers.Conv1D(scaled(filters, width), 5, 2, "same", activation=shapes.activation)(
            output
        )
    output = layers.Dropout(0.2)(layers.GlobalAveragePooling1D()(output))
    return tf_keras.Model(inputs, layers.Dense(shapes.labels)(output))
