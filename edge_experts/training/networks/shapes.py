"""What a network is built for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tf_keras


@dataclass(frozen=True)
class Shapes:
    """Named inputs without their batch, the number of labels, and the features' settings."""

    kind: str  # of the data: "text", "table", "image" or "window"
    inputs: Mapping[str, tuple[tuple[int, ...], str]]  # name: (shape, type)
    labels: int
    settings: Mapping[str, Any]

    def keras_inputs(self) -> dict[str, Any]:
        return {
            name: tf_keras.Input(shape, dtype=kind, name=name)
            for name, (shape, kind) in self.inputs.items()
        }


def widened(
    build: Callable[[Shapes, float], tf_keras.Model], shapes: Shapes, parameters: int
) -> tf_keras.Model:
    """The narrowest network, in steps of 2 %, that has at least so many parameters."""
    width = 1.0
    while (network := build(shapes, width)).count_params() < parameters:
        width *= 1.02
    return network
