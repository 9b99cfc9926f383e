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
_DROPOUT, _L2 = 0.3, 1e-5


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


def text_expert(shapes: Shapes, width: int = 1) -> tf_keras.Model:
    """A bag of n-grams to one logit for each label.

    With `width` above 1, the dense rival: as many columns as that many experts have together, and
    a hidden layer that can use them.
    """
    inputs = shapes.keras_inputs()
    buckets = 2 ** shapes.settings["word_bits"] + 2 ** shapes.settings["char_bits"]
    bag = [inputs["ids"], inputs["weights"]]
    narrow = shapes.labels <= 8  # as many columns as labels; above that, columns are shared
    units = (shapes.labels if narrow else 16) * width
    output = WeightedBag(buckets, units, dropout=_DROPOUT, l2=_L2)(bag)
    if width > 1 or not narrow:
        output = tf_keras.layers.Activation("relu")(output)
        output = tf_keras.layers.Dense(shapes.labels)(output)
    return tf_keras.Model(inputs, output)


def text_router(shapes: Shapes, experts: int) -> tf_keras.Model:
    """A bag of n-grams, in far fewer buckets, to one logit for each expert."""
    inputs = shapes.keras_inputs()
    bag = [inputs["ids"], inputs["weights"]]
    output = WeightedBag(_ROUTER_BUCKETS, experts, dropout=_DROPOUT, l2=_L2)(bag)
    return tf_keras.Model(inputs, output)


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
