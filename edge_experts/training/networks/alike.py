"""Checks that the calls of a custom function make separate networks of the same layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import tf_keras

from ...errors import UsageError


def refuse_shared(option: str, networks: Sequence[tf_keras.Model]) -> None:
    """Refuse networks that share parameters: the training of one would overwrite the other's.

    Args:
        option: begin of the message.

    Raises:
        UsageError: a layer of one network is in another one too; the message has its parameters.
    """
    for first, second in combinations(networks, 2):
        others = {id(weight) for weight in second.weights}
        shared = [weight.name for weight in first.weights if id(weight) in others]
        if shared:
            raise UsageError(
                f"{option}: two of its networks share parameters ({', '.join(shared[:4])}); make "
                "new layers at each call of the function, since each network is trained by itself"
            )


def refuse_different(option: str, networks: Sequence[tf_keras.Model]) -> None:
    """Refuse experts of different layers: they are trained together, and are files of one shape.

    Raises:
        UsageError: the layers' classes, or the shapes of their parameters, are not the same.
    """
    first, *others = map(_layers, networks)
    for other in others:
        if other != first:
            pairs = zip([*first, None], [*other, None], strict=False)
            one, two = next((one, two) for one, two in pairs if one != two)
            raise UsageError(
                f"{option}: it makes different experts: one has {_words(one)} where another has "
                f"{_words(two)}; make the same layers, of the same sizes, at each call"
            )


def _layers(network: tf_keras.Model) -> list[tuple[str, list[Any]]]:
    """Class of each layer, and the shapes of its parameters."""
    return [
        (type(layer).__name__, [tuple(weight.shape) for weight in layer.weights])
        for layer in network.layers
    ]


def _words(layer: tuple[str, list[Any]] | None) -> str:
    if layer is None:
        return "no layer"
    kind, shapes = layer
    return f"{kind} {' '.join(map(str, shapes))}".strip()
