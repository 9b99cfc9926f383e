"""Rebuilds a network of Keras 3 in tf_keras, and checks it by its answers.

A separate process (`edge_experts/keras3_process.py`) reads the file. The network is rebuilt here
layer by layer, with the same calls. A layer, an option or an activation that tf_keras does not have
is an error that names it: a network that is only nearly the same would be wrong silently.
"""

from __future__ import annotations

import inspect
import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ...errors import UsageError
from ..custom_errors import in_one_line
from ..networks.plain_network import HALVES, ROUNDING_OF_HALVES
from . import keras3_operations
from .keras3_reader import READER

TOLERANCE = 1e-5  # relative to the largest answer, or to 1

_REMEDY = "build and train this network with tf_keras instead (import tf_keras, not keras)"
_LEARNED_BY = ("_initializer", "_regularizer", "_constraint")  # not needed for trained weights
# Values without effect: tf_keras's layer does the same without the option, or the option is off.
_OFF = {
    "renorm_momentum": 0.99,
    "data_format": "channels_last",
    "use_cudnn": "auto",
    "fill_mode": "constant",
    "fill_value": 0.0,
    "vocabulary_size": None,
    "epsilon": 0.01,
    "oov_method": "floormod",
}
_RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}  # options, by class and name in Keras 3
_IN_TRAINING = ("value_range",)  # options that do not change answers
_INSIDE = ("layer", "backward_layer", "cell", "cells")  # options that are layers
_GRAPHS = ("Functional", "Model")
_MODELS = (*_GRAPHS, "Sequential")


class _Refused(Exception):  # noqa: N818  a message on its way to the file's name
    pass


def rebuilt(path: Path) -> tf_keras.Model:
    """Rebuild the network of a Keras 3 file, with its weights, in tf_keras.

    Raises:
        UsageError: Keras 3 cannot load the file, tf_keras lacks a layer, or the answers to random
            inputs differ by more than `TOLERANCE`, or in mixed precision by its rounding.
    """
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        if failed := READER.read(path, out):
            # Keras 3 saves operators such as `+` in an .h5 file, and cannot load them.
            remedy = "save the network as .keras" if path.suffix == ".h5" else _REMEDY
            raise UsageError(f"{path}: Keras 3 cannot load it: {in_one_line(failed)}; {remedy}")
        content = json.loads((out / "network.json").read_text(encoding="utf-8"))
        weights, asked, answers = (
            dict(np.load(out / f"{name}.npz")) for name in ("weights", "asked", "answers")
        )
    try:
        network = _network(content["config"])
        _set_weights(network, content["paths"], weights)
        in_half = any(half in json.dumps(content["config"]) for half in HALVES)
        tolerance = ROUNDING_OF_HALVES if in_half else TOLERANCE
        _refuse_other_answers(network, asked, answers, tolerance)
    except _Refused as refused:
        raise UsageError(f"{path}: of Keras {content['keras']}: {refused}; {_REMEDY}") from None
    return network


def _network(config: Mapping[str, Any]) -> tf_keras.Model:
    """Build the network of a configuration, untrained."""
    if not any("inbound_nodes" in layer for layer in config["layers"]):
        return _sequence(config)
    made: dict[str, Any] = {}
    tensors: dict[tuple[Any, ...], Any] = {}
    waiting = []
    for layer in config["layers"]:
        name = layer["config"]["name"]
        made[name] = _layer(layer)
        if layer["class_name"] == "InputLayer":
            tensors[name, 0, 0] = made[name]
        waiting += [(name, index, node) for index, node in enumerate(layer["inbound_nodes"])]
    while waiting:
        later = [call for call in waiting if not _call(call, made, tensors)]
        if len(later) == len(waiting):
            raise _Refused(f"its layer {waiting[0][0]!r} has a call that is not supported")
        waiting = later
    models = {one["config"]["name"] for one in config["layers"] if one["class_name"] in _GRAPHS}
    inputs, outputs = (
        _ends(config[key], tensors, models) for key in ("input_layers", "output_layers")
    )
    return tf_keras.Model(inputs, outputs, name=config["name"])


def _sequence(config: Mapping[str, Any]) -> tf_keras.Model:
    first, *others = [_layer(layer) for layer in config["layers"]]
    if not tf_keras.backend.is_keras_tensor(first):
        raise _Refused(f"its part {config['name']!r} has no input of a stated shape")
    output = first
    for layer in others:
        output = layer(output)
    return tf_keras.Model(first, output, name=config["name"])


def _call(call: tuple[str, int, Any], made: Mapping[str, Any], tensors: dict[Any, Any]) -> bool:
    """Call a layer as its node states; returns whether its inputs were available."""
    name, index, node = call
    try:
        arguments = _resolved(node["args"], tensors)
        options = {
            key: _resolved(value, tensors)
            for key, value in node["kwargs"].items()
            if value is not None and key != "training"
        }
    except KeyError:
        return False
    try:
        outputs = made[name](*arguments, **options)
    except (TypeError, ValueError) as error:
        raise _Refused(f"its layer {name!r} cannot be called in tf_keras: {_line(error)}") from None
    for place, output in enumerate(tf.nest.flatten(outputs)):
        tensors[name, index, place] = output
    return True


def _resolved(value: Any, tensors: Mapping[Any, Any]) -> Any:
    if isinstance(value, dict):
        if value.get("class_name") == "__slice__":
            return slice(*(value["config"][key] for key in ("start", "stop", "step")))
        if "class_name" not in value:
            return {name: _resolved(one, tensors) for name, one in value.items()}
        if value["class_name"] != "__keras_tensor__":
            raise _Refused(f"a call takes {value['class_name']!r}, which is not a tensor")
        return tensors[tuple(value["config"]["keras_history"])]
    if isinstance(value, list):
        return [_resolved(one, tensors) for one in value]
    return value


def _ends(value: Any, tensors: Mapping[Any, Any], models: Collection[str]) -> Any:
    """Tensors of "input_layers" or "output_layers": one entry, or a list of them.

    Args:
        models: names of nested models; here Keras 3 counts their own construction as a call.
    """
    if isinstance(value, dict):
        return {name: _ends(one, tensors, models) for name, one in value.items()}
    if len(value) == 3 and isinstance(value[0], str):
        name, index, place = value
        called = (name, index - (name in models and index > 0), place)
        if called not in tensors:
            raise _Refused(f"its output is of call {index} of {name!r}, which it does not have")
        return tensors[called]
    return [_ends(one, tensors, models) for one in value]


def _layer(described: Mapping[str, Any]) -> Any:
    """Build the layer of tf_keras; for an InputLayer its tensor."""
    kind, config = described["class_name"], described["config"]
    if kind == "InputLayer":
        shape = config["batch_shape"]
        return tf_keras.Input(shape[1:], dtype=config["dtype"], name=config["name"])
    if kind in _MODELS:
        return _network(config)
    if str(described.get("module")).startswith(keras3_operations.MODULE):
        operation = keras3_operations.operation(kind, config)
        if operation is None:
            raise _Refused(
                f"its operation {config['name']!r} is {described['module']}.{kind}, which has no "
                "counterpart here"
            )
        return operation
    found = _class_of(described)
    try:
        options = _options(found, config)
        # Some layers also restore shapes from their configuration, which Keras 3 does not save.
        described_inside = any(isinstance(options.get(key), dict | list) for key in _INSIDE)
        return found.from_config(options) if described_inside else found(**options)
    except (TypeError, ValueError) as error:
        name = config["name"]
        raise _Refused(
            f"its layer {name!r} ({kind}) does not exist in tf_keras: {_line(error)}"
        ) from None


def _class_of(described: Mapping[str, Any]) -> Any:
    kind, name = described["class_name"], described["config"].get("name")
    found = getattr(tf_keras.layers, kind, None)
    if described.get("registered_name") or described.get("module") != "keras.layers":
        raise _Refused(f"its layer {name!r} is {described.get('module')}.{kind}, not a Keras layer")
    if found is None:
        raise _Refused(f"its layer {name!r} is keras.layers.{kind}, which tf_keras does not have")
    return found


def _options(found: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a layer with the names of tf_keras."""
    known = {
        name for base in found.__mro__ for name in inspect.signature(base.__init__).parameters
    } | {"name", "trainable", "dtype"}
    if issubclass(found, tf_keras.layers.RNN):
        known |= {"zero_output_for_mask"}  # accepted in **kwargs
    options = {}
    for name, value in config.items():
        if name.endswith(_LEARNED_BY) or (name in _IN_TRAINING and name not in known):
            continue
        name = _RENAMED.get((found.__name__, name), name)
        if name == "dtype":
            value = _type_of(value, config["name"])
        elif isinstance(value, dict):
            value = _inner(name, value, config["name"])
        elif name == "cells":
            value = [_inner(name, cell, config["name"]) for cell in value]
        if name in known:
            options[name] = value
        elif value not in (None, False) and _OFF.get(name, ...) not in (value, None):
            raise _Refused(
                f"its layer {config['name']!r} has {name}={value!r}, which tf_keras's "
                f"{found.__name__} does not have"
            )
    return options


def _type_of(value: Any, layer: str) -> str:
    kind = value["config"]["name"] if isinstance(value, dict) else value
    if kind not in ("float32", None, *HALVES):
        raise _Refused(f"its layer {layer!r} computes in {kind}, not in float32")
    return "float32"


def _inner(name: str, value: Mapping[str, Any], layer: str) -> Any:
    """Layer in a wrapper, such as Bidirectional, or cell of a recurrent layer; a network's layers.

    Returns a configuration, or a network that the wrapper calls.
    """
    if name not in _INSIDE:
        raise _Refused(f"its layer {layer!r} has a custom {name}: {value.get('class_name')}")
    if value["class_name"] in _MODELS:
        return _network(value["config"])
    found = _class_of(value)
    return {"class_name": value["class_name"], "config": _options(found, value["config"])}


def _set_weights(
    network: tf_keras.Model, paths: Sequence[Sequence[str]], weights: Mapping[str, np.ndarray]
) -> None:
    given = 0
    for place, path in enumerate(paths):
        layer = network
        for name in path:
            layer = layer.get_layer(name)
        own = [weights[f"{place}.{number}"] for number in range(len(layer.weights))]
        try:
            layer.set_weights(own)
        except ValueError as error:
            raise _Refused(f"the weights of its layer {path[-1]!r} do not fit: {error}") from None
        given += len(own)
    if not given == len(weights) == len(network.weights):
        raise _Refused(f"it has {len(weights)} weights, and in tf_keras {len(network.weights)}")


def _refuse_other_answers(
    network: tf_keras.Model,
    asked: Mapping[str, np.ndarray],
    answers: Mapping[str, np.ndarray],
    tolerance: float,
) -> None:
    inputs = [tf.constant(asked[str(place)]) for place in range(len(asked))]
    outputs = tf.nest.flatten(network(inputs if len(inputs) > 1 else inputs[0], training=False))
    for place, output in enumerate(outputs):
        wanted = answers[str(place)]
        difference = float(np.max(np.abs(output.numpy() - wanted)))
        if not difference <= tolerance * max(1.0, float(np.max(np.abs(wanted)))):
            raise _Refused(
                f"rebuilt in tf_keras, its outputs differ from Keras 3's by {difference:.2g} for "
                "random inputs; a layer or activation is defined differently there (hard_sigmoid "
                "is): use another one, and train again"
            )


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
