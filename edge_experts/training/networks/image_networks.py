"""Networks for images: strided convolutions; the router has coarse pixels as input."""

from __future__ import annotations

from typing import Any

import tf_keras

from .. import cost
from .shapes import Shapes, parameters, scaled, widened

layers = tf_keras.layers

# Every convolution halves the image while it is larger than `_SIDE`, to be cheap: a training runs
# all experts on all inputs.
_FILTERS = (16, 48, 64)
_SIDE = 4  # the image's shorter side after the last convolution
_DROPOUT = 0.35
_ROUTER_UNITS = 128
_ROUTER_SIDE = 7  # coarse pixels along the shorter side


def expert(shapes: Shapes, width: float = 1.0) -> tf_keras.Model:
    return _convolutions(shapes, width)


def router(shapes: Shapes, experts: int) -> tf_keras.Model:
    """Pooled pixels and one hidden layer: a fraction of the cost of an expert."""
    inputs, output = projected(shapes, _ROUTER_UNITS)
    output = layers.Activation("relu")(output)
    return tf_keras.Model(inputs, layers.Dense(experts)(output))


def projected(shapes: Shapes, units: int) -> tuple[Any, Any]:
    """The inputs, and `units` linear functions of the router's input: the coarse pixels."""
    inputs, output = _image(shapes)
    output = layers.Flatten()(_pooled(output, _ROUTER_SIDE))
    return inputs, layers.Dense(units)(output)


def dense_active(shapes: Shapes, macs: int, width: float = 1.0) -> tf_keras.Model:
    """A wider expert, with the multiply-adds of a router and an expert."""
    return widened(expert, shapes, width, cost.macs, macs)


def dense_all(shapes: Shapes, experts: int, width: float = 1.0) -> tf_keras.Model:
    """A wider expert, with the parameters of all experts."""
    together = experts * parameters(expert(shapes, width))
    return widened(expert, shapes, width, parameters, together)


def teacher(shapes: Shapes, experts: int) -> tf_keras.Model:
    """A moderately wider expert: one as large as all experts would take hours to train."""
    return _convolutions(shapes, 1.4)


def _convolutions(shapes: Shapes, width: float) -> tf_keras.Model:
    inputs, output = _image(shapes)
    for filters in _FILTERS:
        stride = 2 if min(output.shape[1:3]) > _SIDE else 1
        output = layers.Conv2D(
            scaled(filters, width), 3, stride, "same", activation=shapes.activation
        )(output)
    output = layers.Dropout(_DROPOUT)(layers.Flatten()(_pooled(output, _SIDE)))
    return tf_keras.Model(inputs, layers.Dense(shapes.labels)(output))


def _pooled(image: Any, side: int) -> Any:
    """The image averaged to about `side` pixels along its shorter side."""
    pool = max(1, min(image.shape[1:3]) // side)
    return image if pool == 1 else layers.AveragePooling2D(pool)(image)


def _image(shapes: Shapes) -> tuple[dict[str, Any], Any]:
    """The inputs, and the image with a channel axis, which is added if missing."""
    inputs = shapes.keras_inputs()
    image = inputs["x"]
    return inputs, image if len(image.shape) == 4 else layers.Reshape((*image.shape[1:], 1))(image)
