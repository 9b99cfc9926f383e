"""Specification of a network: inputs, outputs, and settings of the features."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tf_keras

from ...errors import UnsuitableError

_NEAR = 1.01  # ratio of widths that count as equal
# A network that is not larger at this multiple of a width does not depend on it. At small widths
# it stays as it is for a while, because layers have one unit at least.
_MUST_GROW = 1000


@dataclass(frozen=True)
class Shapes:
    """Named inputs without the batch axis, the number of outputs, and the features' settings.

    Attributes:
        labels: number of outputs of an expert: a logit for each label, or a value for each target.
        output_kind: "labels", "sets", "values", or "inputs", the reconstructed inputs.
        output_words: the outputs in words, for errors.
    """

    kind: str  # kind of the data: "text", "table", ...; "features" of a backbone
    inputs: Mapping[str, tuple[tuple[int, ...], str]]  # name: (shape, type)
    labels: int
    settings: Mapping[str, Any]
    activation: str = "relu"  # of experts' hidden layers, by its Keras name
    output_kind: str = "labels"
    output_words: str = "one logit for each label"

    def keras_inputs(self) -> dict[str, Any]:
        return {
            name: tf_keras.Input(shape, dtype=kind, name=name)
            for name, (shape, kind) in self.inputs.items()
        }


def scaled(units: int, width: float) -> int:
    """Number of units or filters at a width; at least one."""
    return max(1, round(units * width))


def widened(
    build: Callable[[Shapes, float], tf_keras.Model],
    shapes: Shapes,
    width: float,
    measure: Callable[[tf_keras.Model], int],
    least: int,
) -> tf_keras.Model:
    """Find the narrowest network from `width` on, to 1 %, whose measure is at least `least`.

    Raises:
        UnsuitableError: the networks do not become larger with the width.
    """
    narrow, wide = width, width
    most, since = 0, width
    while (size := measure(network := build(shapes, wide))) < least:
        if size > most:
            most, since = size, wide
        if wide > _MUST_GROW * since:
            raise UnsuitableError(f"at width {wide:,.0f} it is no larger than at {since:.3g}")
        narrow, wide = wide, 1.5 * wide
    while wide / narrow > _NEAR:
        middle = math.sqrt(narrow * wide)
        between = build(shapes, middle)
        if measure(between) < least:
            narrow = middle
        else:
            wide, network = middle, between
    return network


def parameters(network: tf_keras.Model) -> int:
    count: int = network.count_params()
    return count
