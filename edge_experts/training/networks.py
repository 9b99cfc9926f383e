"""The default networks for each kind of features. A user's own come with `--model`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tf_keras

from ..errors import UsageError
from .layers import WeightedBag

_ROUTER_BUCKETS = 4096  # the router tells kinds of text apart, which takes fewer words
_DROPOUT = 0.15  # by cross-validation on the sentiment set
_FEW_LABELS = 8


@dataclass(frozen=True)
class Shapes:
    """What a network is built for: named inputs without their batch, and the number of labels."""

    inputs: Mapping[str, tuple[tuple[int, ...], str]]  # name: (shape, type)
    labels: int
    settings: Mapping[str, Any]  # of the features

    def keras_inputs(self) -> dict[str, Any]:
        return {
            name: tf_keras.Input(shape, dtype=kind, name=name)
            for name, (shape, kind) in self.inputs.items()
        }


Builder = Callable[[Shapes], tf_keras.Model]


def text_expert(shapes: Shapes) -> tf_keras.Model:
    """A bag of n-grams to one logit for each label."""
    inputs = shapes.keras_inputs()
    units = _columns(shapes)
    output = _bag(inputs, _buckets(shapes), units)
    if units != shapes.labels:
        output = _head(output, shapes)
    return tf_keras.Model(inputs, output)


def text_router(shapes: Shapes, experts: int) -> tf_keras.Model:
    """A bag of n-grams, in far fewer buckets, to one logit for each expert."""
    inputs = shapes.keras_inputs()
    return tf_keras.Model(inputs, _bag(inputs, _ROUTER_BUCKETS, experts))


def text_dense_active(shapes: Shapes, experts: int) -> tf_keras.Model:
    """The dense rival of a router and one expert: the expert's network.

    It lacks the router's bytes (an eighth of the expert's, for four experts), because it is better
    without: a second table or a hidden layer of that size overfits, and cost 0.4 to 1.2 points in
    cross-validation on the sentiment set.
    """
    return text_expert(shapes)


def text_dense_all(shapes: Shapes, experts: int) -> tf_keras.Model:
    """The dense rival of all experts: a table as wide as theirs together, and a hidden layer."""
    inputs = shapes.keras_inputs()
    output = _bag(inputs, _buckets(shapes), experts * _columns(shapes))
    return tf_keras.Model(inputs, _head(output, shapes))


def _bag(inputs: Mapping[str, Any], buckets: int, units: int) -> Any:
    layer = WeightedBag(buckets, units, dropout=_DROPOUT)
    return layer([inputs["ids"], inputs["weights"]])


def _head(columns: Any, shapes: Shapes) -> Any:
    return tf_keras.layers.Dense(shapes.labels)(tf_keras.layers.Activation("relu")(columns))


def _buckets(shapes: Shapes) -> int:
    return int(2 ** shapes.settings["word_bits"] + 2 ** shapes.settings["char_bits"])


def _columns(shapes: Shapes) -> int:
    """As many as labels; where there are many labels, fewer, which a hidden layer combines."""
    return shapes.labels if shapes.labels <= _FEW_LABELS else 2 * _FEW_LABELS


def users_builder(reference: str) -> Builder:
    """The function that `--model module:function` names: from `Shapes` to an expert network.

    Raises:
        UsageError: there is no such module or function.
    """
    module, _, function = reference.partition(":")
    if not function:
        raise UsageError(f"--model must be module:function, got {reference!r}")
    if str(Path.cwd()) not in sys.path:  # the user's module lies where the user stands
        sys.path.insert(0, str(Path.cwd()))
    try:
        builder: Builder = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"--model {reference}: {error}") from None
    return builder
