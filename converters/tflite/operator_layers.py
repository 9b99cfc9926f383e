"""Layers of a network in which the converter found operators that only TensorFlow has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import tf_keras
from tensorflow.lite.python.convert_phase import ConverterError

from .foreign_operators import foreign_operators


@contextmanager
def noted(network: tf_keras.Model, function: Callable[..., Any]) -> Iterator[None]:
    """Add a note with the names of the layers to a converter's error in the block.

    Args:
        function: the traced function that is converted, whose operations have the layers' names.
    """
    try:
        yield
    except ConverterError as error:
        layers = _layers_with(network, function, foreign_operators(str(error)))
        if layers:
            names = " and ".join(map(repr, layers))
            error.add_note(f"layer{'s' if len(layers) > 1 else ''} {names}")
        raise


def _layers_with(network: tf_keras.Model, function: Any, operators: list[str]) -> list[str]:
    names = {
        part.name for part in network.submodules if isinstance(part, tf_keras.layers.Layer)
    } - {part.name for part in network.submodules if isinstance(part, tf_keras.Model)}
    content = function.graph.as_graph_def()
    nodes = [*content.node, *(node for each in content.library.function for node in each.node_def)]
    found = (
        [part for part in node.name.split("/") if part in names]
        for node in nodes
        if node.op in operators
    )
    return list(dict.fromkeys(parts[-1] for parts in found if parts))
