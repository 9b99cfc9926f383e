"""Networks for texts: bags of n-grams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tf_keras

from ..layers import WeightedBag
from .shapes import Shapes, scaled

_ROUTER_BUCKETS = 4096  # the router separates kinds of text, which needs fewer words
_DROPOUT = 0.15
_FEW_LABELS = 8


def expert(shapes: Shapes, width: float = 1.0) -> tf_keras.Model:
    """Bag of n-grams with one logit for each label."""
    return dense_buckets(shapes, 1, width)


def dense_buckets(shapes: Shapes, experts: int, width: float = 1.0) -> tf_keras.Model:
    """Dense baseline with an expert's network and as many buckets as all experts together.

    Each row of an expert's table has the n-grams of `experts` rows here.
    """
    inputs = shapes.keras_inputs()
    units = scaled(_columns(shapes), width)
    output = _bag(inputs, experts * _buckets(shapes), units)
    if units != shapes.labels:
        output = _head(output, shapes)
    return tf_keras.Model(inputs, output)


def router(shapes: Shapes, experts: int) -> tf_keras.Model:
    """Bag of n-grams in far fewer buckets, with one logit for each expert."""
    return tf_keras.Model(*projected(shapes, experts))


def projected(shapes: Shapes, units: int) -> tuple[Any, Any]:
    """The inputs, and `units` linear functions of the router's input: n-grams in few buckets."""
    inputs = shapes.keras_inputs()
    return inputs, _bag(inputs, _ROUTER_BUCKETS, units)


def dense_active(shapes: Shapes, macs: int, width: float = 1.0) -> tf_keras.Model:
    """Dense baseline for a router and one expert: the expert's network.

    It does not use the router's bytes, an eighth of the expert's for four experts: a second table
    or a hidden layer of that size would overfit, and weaken the baseline.
    """
    return expert(shapes, width)


def dense_all(shapes: Shapes, experts: int, width: float = 1.0) -> tf_keras.Model:
    """Dense baseline for all experts: a table as wide as all of theirs, and a hidden layer."""
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
    """Number of columns: that of the labels; for many labels fewer, with a hidden layer."""
    return shapes.labels if shapes.labels <= _FEW_LABELS else 2 * _FEW_LABELS
