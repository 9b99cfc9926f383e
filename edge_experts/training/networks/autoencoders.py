"""Networks that reconstruct their inputs through a layer of few units."""

from __future__ import annotations

import math
from typing import Any

import tf_keras

from .. import cost
from .shapes import Shapes, parameters, scaled, widened

layers = tf_keras.layers

OUTPUT_KIND = "inputs"
_UNITS = 16  # of the layers around the narrow one
_ROUTER_UNITS = 16
_NARROW = 3  # inputs for each unit of the narrow layer
_TEACHER_WIDTH = 8.0


def expert(shapes: Shapes, width: float = 1.0) -> tf_keras.Model:
    """Four dense layers; the width does not change the narrow one, so that a dense network of more
    units cannot copy its inputs."""
    inputs = shapes.keras_inputs()
    units, narrow = scaled(_UNITS, width), math.ceil(shapes.labels / _NARROW)
    output = layers.Flatten()(inputs["x"])
    output = layers.Dense(units, shapes.activation)(output)
    output = layers.Dense(narrow)(output)
    output = layers.Dense(units, shapes.activation)(output)
    return tf_keras.Model(inputs, layers.Dense(shapes.labels)(output))


def router(shapes: Shapes, experts: int) -> tf_keras.Model:
    inputs, output = projected(shapes, _ROUTER_UNITS)
    output = layers.Activation("relu")(output)
    return tf_keras.Model(inputs, layers.Dense(experts)(output))


def projected(shapes: Shapes, units: int) -> tuple[Any, Any]:
    """The inputs, and `units` linear functions of the router's input: all numbers."""
    inputs = shapes.keras_inputs()
    return inputs, layers.Dense(units)(layers.Flatten()(inputs["x"]))


def dense_active(shapes: Shapes, macs: int, width: float = 1.0) -> tf_keras.Model:
    """A wider expert, with the multiply-adds of a router and an expert."""
    return widened(expert, shapes, width, cost.macs, macs)


def dense_all(shapes: Shapes, experts: int, width: float = 1.0) -> tf_keras.Model:
    """A wider expert, with the parameters of all experts."""
    together = experts * parameters(expert(shapes, width))
    return widened(expert, shapes, width, parameters, together)


def teacher(shapes: Shapes, experts: int) -> tf_keras.Model:
    return expert(shapes, _TEACHER_WIDTH)
