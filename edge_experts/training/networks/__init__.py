"""The default networks, one file for each kind of data. A user's own come with `--model`.

Each file has `expert(shapes)`, `router(shapes, experts)`, and the dense rivals
`dense_active(shapes, experts)` and `dense_all(shapes, experts)`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import tf_keras

from ...errors import UsageError
from . import image, table, text, window
from .shapes import Shapes

__all__ = ["BY_KIND", "Shapes", "users_experts"]

BY_KIND: dict[str, ModuleType] = {"text": text, "table": table, "image": image, "window": window}


def users_experts(reference: str, shapes: Shapes, count: int) -> list[tf_keras.Model]:
    """The networks of the function that `--model module:function` names.

    It is called once for each expert with `Shapes`, and returns a tf_keras model from the named
    inputs to one logit for each label.

    Raises:
        UsageError: there is no such function, or it makes something else.
    """
    build = _function(reference)
    return [_checked(build(shapes), reference, shapes) for _ in range(count)]


def _function(reference: str) -> Callable[[Shapes], Any]:
    module, _, name = reference.partition(":")
    if not name:
        raise UsageError(f"--model must be module:function, got {reference!r}")
    if str(Path.cwd()) not in sys.path:  # the user's module lies where the user stands
        sys.path.insert(0, str(Path.cwd()))
    try:
        function: Callable[[Shapes], Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"--model {reference}: {error}") from None
    return function


def _checked(network: Any, reference: str, shapes: Shapes) -> tf_keras.Model:
    kind = type(network)
    if not isinstance(network, tf_keras.Model):
        # Layers of Keras 3 in a tf_keras model would have no trainable weights, and no error.
        raise UsageError(
            f"--model {reference}: must return a tf_keras model, got {kind.__module__}."
            f"{kind.__name__}; import tf_keras, not keras or tf.keras"
        )
    if set(network.input_names) != set(shapes.inputs):
        raise UsageError(
            f"--model {reference}: its inputs must be named {sorted(shapes.inputs)}, got "
            f"{sorted(network.input_names)}; shapes.keras_inputs() makes them"
        )
    if network.output_shape != (None, shapes.labels):
        raise UsageError(
            f"--model {reference}: its output must be {(None, shapes.labels)}, one logit for each "
            f"label, got {network.output_shape}"
        )
    return network
