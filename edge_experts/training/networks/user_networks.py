"""Custom networks, by functions or module:function names in a configuration.

    def build(shapes):                an expert: the named inputs to one logit for each label
    def build(shapes, width=1.0):     likewise, of any width: then a dense baseline as large as all
                                      experts can be built with it
    def router(shapes, experts):      a router: the named inputs to one logit for each expert

`shapes` is a `Shapes`; all return tf_keras models.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import tensorflow as tf
import tf_keras

from ...errors import EdgeExpertsError, UnsuitableError, UsageError
from .. import cost
from ..custom_errors import named
from . import alike
from .bounded_outputs import bounded_ending
from .plain_network import plain
from .shapes import Shapes, parameters, widened

Given = str | Callable[..., Any]


def experts(given: Given, shapes: Shapes, count: int, width: float) -> list[tf_keras.Model]:
    """Build the experts, each by a separate call.

    Raises:
        UsageError: the function does not exist, its result is invalid, or it takes no width; or
            its calls do not make separate networks of the same layers.
    """
    option, build = _function("--model", given)
    options = {} if width == 1 else {"width": width}
    if options:
        _refuse_without_width(option, build, f"--width {width}")
    with _running(option, build):
        made = [_untrained(build(shapes, **options), option, shapes) for _ in range(count)]
    alike.refuse_shared(option, made)
    alike.refuse_different(option, made)
    return made


def router(given: Given, shapes: Shapes, count: int) -> tf_keras.Model:
    """Build a router for `count` experts. Raises UsageError, likewise."""
    option, build = _function("--router-model", given)
    with _running(option, build):
        return _untrained(build(shapes, count), option, shapes, (count, "expert"))


def dense_active(given: Given, shapes: Shapes, macs: int, width: float) -> tf_keras.Model:
    """Build the dense baseline for a router and an expert, with as many multiply-adds as both.

    If its function takes no width, an unchanged expert is used. Raises UsageError, likewise.
    """
    option, build = _function("--model", given)
    if "width" not in inspect.signature(build).parameters:
        return experts(given, shapes, 1, width)[0]
    with _running(option, build):
        made = _widened(option, build, shapes, width, cost.macs, macs)
        return _untrained(made, option, shapes)


def dense_all(given: Given, shapes: Shapes, count: int, width: float) -> tf_keras.Model:
    """Build the dense baseline for all experts: a wider expert with as many parameters.

    Raises:
        UsageError: the function takes no `width`; or as above.
    """
    option, build = _function("--model", given)
    _refuse_without_width(option, build, "the dense baseline as large as all experts")
    with _running(option, build):
        together = count * parameters(build(shapes, width=width))
        made = _widened(option, build, shapes, width, parameters, together)
        return _untrained(made, option, shapes)


def _widened(
    option: str,
    build: Callable[..., Any],
    shapes: Shapes,
    width: float,
    measure: Callable[[tf_keras.Model], int],
    least: int,
) -> tf_keras.Model:
    try:
        return widened(
            lambda shapes, width: build(shapes, width=width), shapes, width, measure, least
        )
    except UnsuitableError as error:
        raise UnsuitableError(
            f"{option}: a dense baseline needs {least:,} parameters or multiply-adds, and {error}; "
            "multiply the units of its layers by `width`, without an upper limit, or take no width"
        ) from None


def _refuse_without_width(option: str, build: Callable[..., Any], what: str) -> None:
    if "width" not in inspect.signature(build).parameters:
        raise UsageError(
            f"{option}: {what} needs the function to take a width: def build(shapes, width=1.0), "
            "which multiplies the units of its layers"
        )


def _function(option: str, given: Given) -> tuple[str, Callable[..., Any]]:
    """The name for errors, and the function."""
    if not isinstance(given, str):
        return f"{option} {given.__qualname__}", given
    module, _, name = given.partition(":")
    if not name:
        raise UsageError(f"{option} must be module:function, got {given!r}")
    if str(Path.cwd()) not in sys.path:  # the module is in the current folder
        sys.path.insert(0, str(Path.cwd()))
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"{option} {given}: {error}") from None
    except Exception as error:  # any error of the custom module at import
        raise UsageError(f"{option} {given}: {_last_line(error)}") from error
    return f"{option} {given}", function


def source_of(*given: Given | None) -> list[str]:
    """Source of the modules of these functions, if Python can find it."""
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
    """Check the network: from the named inputs to one logit for each label, or to `outputs`.

    Raises:
        UsageError: the network is invalid; the message begins with `option`.
    """
    kind = type(network)
    if not isinstance(network, tf_keras.Model):
        # Layers of Keras 3 in a tf_keras model would have no trainable weights, without an error.
        raise UsageError(
            f"{option}: must return a tf_keras model, got {kind.__module__}."
            f"{kind.__name__}; import tf_keras, not keras or tf.keras"
        )
    if network.inputs is None:
        raise UsageError(
            f"{option}: {network.name!r} is a subclassed model or a Sequential without an Input, "
            "whose inputs have no names; return tf_keras.Model(inputs, outputs)"
        )
    if set(network.input_names) != set(shapes.inputs):
        raise UsageError(
            f"{option}: its inputs must be named {sorted(shapes.inputs)}, got "
            f"{sorted(network.input_names)}; shapes.keras_inputs() makes them"
        )
    for name, tensor in zip(network.input_names, network.inputs, strict=True):
        _refuse_other_input(tensor, name, *shapes.inputs[name], option)
    count, words = shapes.labels, shapes.output_words
    if outputs is not None:
        count, words = outputs[0], f"one logit for each {outputs[1]}"
    if network.output_shape != (None, count):
        raise UsageError(
            f"{option}: its output must be {(None, count)}, {words}, got {network.output_shape}"
        )
    return network


def _refuse_other_input(
    tensor: Any, name: str, shape: tuple[int, ...], kind: str, option: str
) -> None:
    """Refuse an input that does not take a batch of any size of the data's examples."""
    has, must = tuple(tensor.shape), (None, *shape)
    is_dense = isinstance(tensor.type_spec, tf.TensorSpec)
    if has != must or tensor.dtype != kind or not is_dense:
        what = "" if is_dense else f" of the type {type(tensor.type_spec).__name__}"
        raise UsageError(
            f"{option}: its input {name!r} is {tensor.dtype.name} {has}{what}, and must be {kind} "
            f"{must}; shapes.keras_inputs() makes it"
        )


def _untrained(
    network: Any, option: str, shapes: Shapes, outputs: tuple[int, str] | None = None
) -> tf_keras.Model:
    """Check the network, and that its outputs have no softmax or similar activation.

    The softmax is computed again in the loss and on the device: training would still run, and end
    with nearly equal scores.

    Raises:
        UsageError: the outputs have an activation; or as for `checked`.
    """
    network = checked(network, option, shapes, outputs)
    for method in ("call", "train_step", "compute_loss"):
        if not getattr(type(network), method).__module__.startswith("tf_keras."):
            raise UsageError(
                f"{option}: its class {type(network).__name__} has its own {method}, which is not "
                "used: router and experts are trained together, by their layers; return "
                "tf_keras.Model(inputs, outputs)"
            )
    with named(option, "be an expert" if outputs is None else "be a router"):
        network = plain(network)
    ending = bounded_ending(network, shapes)
    if ending is not None:
        raise UsageError(
            f"{option}: its output ends in {ending}; it must have no activation, because "
            "training and runtime compute the softmax themselves: end in "
            f"Dense({network.output_shape[-1]})"
        )
    return network


@contextlib.contextmanager
def _running(option: str, build: Callable[..., Any]) -> Iterator[None]:
    """Convert errors of the custom function in the block, and reject layers of Keras 3.

    Raises:
        UsageError: the function raised an error; the message has its file and line.
    """
    try:
        with _without_keras_3(option):
            yield
    except EdgeExpertsError:
        raise
    except Exception as error:
        files = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
        if inspect.unwrap(build).__code__.co_filename not in files:
            raise  # not an error of the custom function
        raise UsageError(f"{option}: {_last_line(error)}") from error


def _last_line(error: Exception) -> str:
    """File and line of the custom code that failed, with the error."""
    package, library = str(Path(__file__).parents[2]), sysconfig.get_paths()["stdlib"]
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((package, library, "<"))
        and "site-packages" not in Path(frame.filename).parts
    ]
    told = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]:.300}"
    if isinstance(error, SyntaxError) or not frames:
        return told
    return f"{frames[-1].filename}, line {frames[-1].lineno}: {told}"


@contextlib.contextmanager
def _without_keras_3(option: str) -> Iterator[None]:
    """Raise an error for a layer of Keras 3 that is called in the block.

    Called on tensors of tf_keras, it would silently become operations without trainable weights.
    """

    def refuse(layer: Any, *_: Any, **__: Any) -> None:
        kind = type(layer)
        raise UsageError(
            f"{option}: its layer {layer.name!r} is {kind.__module__}.{kind.__name__}, of Keras 3, "
            "and would not be trained; import tf_keras, not keras"
        )

    import keras  # installed with TensorFlow

    with mock.patch.object(keras.layers.Layer, "__call__", refuse):
        yield
