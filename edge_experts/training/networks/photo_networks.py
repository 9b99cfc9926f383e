"""Networks for photos and spectra: strided convolutions, more of them than for small images."""

from __future__ import annotations

from typing import Any

import tf_keras

from .. import cost
from .shapes import Shapes, parameters, scaled, widened

layers = tf_keras.layers

# The first convolution halves the photo, and each further one too while it is larger than `_SIDE`.
_FILTERS = (16, 32, 48, 64)
_SIDE = 6
_DROPOUT = 0.35
_ROUTER_UNITS = 64
_ROUTER_SIDE = 8  # coarse pixels along the shorter side


def expert(shapes: Shapes, width: float = 1.0) -> tf_keras.Model:
    return _convolutions(shapes, width)


def router(shapes: Shapes, experts: int) -> tf_keras.Model:
    """Coarse pixels and one hidden layer: a fraction of the cost of an expert."""
    inputs, output = projected(shapes, _ROUTER_UNITS)
    output = layers.Activation("relu")(output)
    return tf_keras.Model(inputs, layers.Dense(experts)(output))


def projected(shapes: Shapes, units: int) -> tuple[Any, Any]:
    """The inputs, and `units` linear functions of the router's input: the coarse pixels."""
    inputs = shapes.keras_inputs()
    photo = _with_channels(inputs["x"])
    pool = max(1, min(photo.shape[1:3]) // _ROUTER_SIDE)
    output = layers.Flatten()(layers.AveragePooling2D(pool)(photo))
    return inputs, layers.Dense(units)(output)


def dense_active(shapes: Shapes, macs: int, width: float = 1.0) -> tf_keras.Model:
    """A wider expert, with the multiply-adds of a router and an expert."""
    return widened(expert, shapes, width, cost.macs, macs)


def dense_all(shapes: Shapes, experts: int, width: float = 1.0) -> tf_keras.Model:
    """A wider expert, with the parameters of all experts."""
    together = experts * parameters(expert(shapes, width))
    return widened(expert, shapes, width, parameters, together)


def teacher(shapes: Shapes, experts: int) -> tf_keras.Model:
    """A moderately wider expert."""
    return _convolutions(shapes, 1.4)


def _convolutions(shapes: Shapes, width: float) -> tf_keras.Model:
    inputs = shapes.keras_inputs()
    output = _with_channels(inputs["x"])
    for place, filters in enumerate(_FILTERS):
        stride = 2 if place == 0 or min(output.shape[1:3]) > _SIDE else 1
        output = layers.Conv2D(
            scaled(filters, width), 3, stride, "same", activation=shapes.activation
        )(output)
    if min(output.shape[1:3]) > 1:
        output = layers.AveragePooling2D(min(2, *output.shape[1:3]))(output)
    output = layers.Dropout(_DROPOUT)(layers.Flatten()(output))
    return tf_keras.Model(inputs, layers.Dense(shapes.labels)(output))


def _with_channels(photo: Any) -> Any:
    """Add an axis of one channel to a spectrum, (frames, bands)."""
    return photo if len(photo.shape) == 4 else layers.Reshape((*photo.shape[1:], 1))(photo)
