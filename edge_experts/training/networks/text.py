"""Networks for texts: bags of n-grams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tf_keras

from ..layers import WeightedBag
from .shapes import Shapes, scaled

_ROUTER_BUCKETS = 4096  # the router tells kinds of text apart, which takes fewer words
_DROPOUT = 0.15
_FEW_LABELS = 8


def expert(shapes: Shapes, width: float = 1.0) -> tf_keras.Model:
    """A bag of n-grams to one logit for each label."""
    return dense_buckets(shapes, 1, width)


def dense_buckets(shapes: Shapes, experts: int, width: float = 1.0) -> tf_keras.Model:
    """An expert's network with as many buckets as all experts together: the finer rival.

    Each row of an expert's table stands for the n-grams of `experts` rows here.
    """
    inputs = shapes.keras_inputs()
    units = scaled(_columns(shapes), width)
    output = _bag(inputs, experts * _buckets(shapes), units)
    if units != shapes.labels:
        output = _head(output, shapes)
    return tf_keras.Model(inputs, output)


def router(shapes: Shapes, experts: int) -> tf_keras.Model:
    """A bag of n-grams, in far fewer buckets, to one logit for each expert."""
    return tf_keras.Model(*projected(shapes, experts))


def projected(shapes: Shapes, units: int) -> tuple[Any, Any]:
    """The inputs, and so many linear functions of what a router sees: n-grams in few buckets."""
    inputs = shapes.keras_inputs()
    return inputs, _bag(inputs, _ROUTER_BUCKETS, units)


def dense_active(shapes: Shapes, macs: int, width: float = 1.0) -> tf_keras.Model:
    """The dense rival of a router and one expert: the expert's network.

    It lacks the router's bytes, an eighth of the expert's for four experts: a second table or a
    hidden layer of that size would overfit, and make the rival easier to beat.
    """
    return expert(shapes, width)


def dense_all(shapes: Shapes, experts: int, width: float = 1.0) -> tf_keras.Model:
    """The dense rival of all experts: a table as wide as theirs together, and a hidden layer."""
    inputs = shapes.keras_inputs()
    output = _bag(inputs, _buckets(shapes), experts * scaled(_columns(shapes), width))
    return tf_keras.Model(inputs, _head(output, shapes))


def teacher(shapes: Shapes, experts: int) -> tf_keras.Model:
    return dense_all(shapes, experts)


def _bag(inputs: Mapping[str, Any], buckets: int, units: int) -> Any:
    layer = WeightedBag(buckets, units, dropout=_DROPOUT)
    return layer([inputs["ids"], inputs["weights"]])


def _head(columns: Any, shapes: Shapes) -> Any:
    return tf_keras.layers.Dense(shapes.labels)(
        tf_keras.layers.Activation(shapes.activation)(columns)
    )


def _buckets(shapes: Shapes) -> int:
    return int(2 ** shapes.settings["word_bits"] + 2 ** shapes.settings["char_bits"])


def _columns(shapes: Shapes) -> int:
    """As many as labels; where there are many labels, fewer, which a hidden layer combines."""
    return shapes.labels if shapes.labels <= _FEW_LABELS else 2 * _FEW_LABELS
