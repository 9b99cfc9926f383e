"""The user's own networks, by the functions, or module:function, that a configuration names.

    def build(shapes):                an expert: the named inputs to one logit for each label
    def build(shapes, width=1.0):     likewise, of any width: then a dense rival as large as all
                                      experts can be made of it
    def router(shapes, experts):      a router: the named inputs to one logit for each expert

`shapes` is a `Shapes`; all return tf_keras models.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import tf_keras

from ...errors import UsageError
from .. import cost
from .shapes import Shapes, parameters, widened

Given = str | Callable[..., Any]


def experts(given: Given, shapes: Shapes, count: int, width: float) -> list[tf_keras.Model]:
    """So many experts, each from a call of its own.

    Raises:
        UsageError: there is no such function, it makes something else, or it takes no width.
    """
    option, build = _function("--model", given)
    options = {} if width == 1 else {"width": width}
    if options:
        _refuse_without_width(option, build, f"--width {width}")
    with _without_keras_3(option):
        return [checked(build(shapes, **options), option, shapes) for _ in range(count)]


def router(given: Given, shapes: Shapes, count: int) -> tf_keras.Model:
    """A router for so many experts. Raises UsageError, likewise."""
    option, build = _function("--router-model", given)
    with _without_keras_3(option):
        return checked(build(shapes, count), option, shapes, (count, "expert"))


def dense_active(given: Given, shapes: Shapes, macs: int, width: float) -> tf_keras.Model:
    """The dense rival of a router and an expert: an expert of as many multiply-adds as both.

    One whose function takes no width is left as it is. Raises UsageError, likewise.
    """
    option, build = _function("--model", given)
    if "width" not in inspect.signature(build).parameters:
        return experts(given, shapes, 1, width)[0]
    with _without_keras_3(option):
        made = widened(_at_width(build), shapes, width, cost.macs, macs)
        return checked(made, option, shapes)


def dense_all(given: Given, shapes: Shapes, count: int, width: float) -> tf_keras.Model:
    """The dense rival: an expert so wide that its parameters are all experts' together.

    Raises:
        UsageError: the function takes no `width`; or as above.
    """
    option, build = _function("--model", given)
    _refuse_without_width(option, build, "the dense rival as large as all experts")
    with _without_keras_3(option):
        together = count * parameters(build(shapes, width=width))
        made = widened(_at_width(build), shapes, width, parameters, together)
        return checked(made, option, shapes)


def _at_width(build: Callable[..., Any]) -> Callable[[Shapes, float], Any]:
    return lambda shapes, width: build(shapes, width=width)


def _refuse_without_width(option: str, build: Callable[..., Any], what: str) -> None:
    if "width" not in inspect.signature(build).parameters:
        raise UsageError(
            f"{option}: {what} needs the function to take a width: def build(shapes, width=1.0), "
            "which multiplies the units of its layers"
        )


def _function(option: str, given: Given) -> tuple[str, Callable[..., Any]]:
    """What errors call it, and the function."""
    if not isinstance(given, str):
        return f"{option} {given.__qualname__}", given
    module, _, name = given.partition(":")
    if not name:
        raise UsageError(f"{option} must be module:function, got {given!r}")
    if str(Path.cwd()) not in sys.path:  # the user's module lies where the user stands
        sys.path.insert(0, str(Path.cwd()))
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"{option} {given}: {error}") from None
    return f"{option} {given}", function


def source_of(*given: Given | None) -> list[str]:
    """The source of the modules that these functions are in, as far as Python finds it."""
    found = []
    for each in given:
        if each is not None:
            module = inspect.getmodule(_function("--model", each)[1])
            with contextlib.suppress(OSError, TypeError):
                found.append(inspect.getsource(module))  # type: ignore[arg-type]
    return found


def checked(
    network: Any, option: str, shapes: Shapes, outputs: tuple[int, str] | None = None
) -> tf_keras.Model:
    """The network, if it fits: the named inputs to one logit for each label, or for `outputs`.

    Raises:
        UsageError: it does not; the message begins with `option`.
    """
    kind = type(network)
    if not isinstance(network, tf_keras.Model):
        # Layers of Keras 3 in a tf_keras model would have no trainable weights, and no error.
        raise UsageError(
            f"{option}: must return a tf_keras model, got {kind.__module__}."
            f"{kind.__name__}; import tf_keras, not keras or tf.keras"
        )
    if network.inputs is None:
        raise UsageError(
            f"{option}: {network.name!r} is a subclassed model, whose inputs have no names; "
            "return tf_keras.Model(inputs, outputs)"
        )
    if set(network.input_names) != set(shapes.inputs):
        raise UsageError(
            f"{option}: its inputs must be named {sorted(shapes.inputs)}, got "
            f"{sorted(network.input_names)}; shapes.keras_inputs() makes them"
        )
    count, words = shapes.labels, shapes.output_words
    if outputs is not None:
        count, words = outputs[0], f"one logit for each {outputs[1]}"
    if network.output_shape != (None, count):
        raise UsageError(
            f"{option}: its output must be {(None, count)}, {words}, got {network.output_shape}"
        )
    return network


@contextlib.contextmanager
def _without_keras_3(option: str) -> Iterator[None]:
    """While the user's function runs, a layer of Keras 3 is an error that names it.

    Called on tensors of tf_keras, it would turn into operations without trainable weights, and
    nothing would say so.
    """

    def refuse(layer: Any, *_: Any, **__: Any) -> None:
        kind = type(layer)
        raise UsageError(
            f"{option}: its layer {layer.name!r} is {kind.__module__}.{kind.__name__}, of Keras 3, "
            "and would not be trained; import tf_keras, not keras"
        )

    import keras  # comes with TensorFlow

    with mock.patch.object(keras.layers.Layer, "__call__", refuse):
        yield
