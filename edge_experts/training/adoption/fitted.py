"""Adaptation of a trained network to a bundle: one input `x`, logits out, and the same answers."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ...errors import UsageError
from ..custom_errors import named
from ..network_checks import refuse_other_answers
from ..networks.plain_network import ROUNDING_OF_HALVES, in_float32
from ..saved_networks import keras_file
from .endings import Ending

INPUT = "x"
_ALONE = 4  # examples that are answered one by one too
_CHANNEL = "with_one_channel"
_CONFIG = "config"
# Characters that TensorFlow refuses in the name of a scope, which traced networks have.
_NOT_IN_SCOPES = re.compile(r"^[^A-Za-z0-9.]|[^A-Za-z0-9_.\\/>-]")
_HALVES = ("float16", "bfloat16")


def table_rows(network: tf_keras.Model) -> int | None:
    """Number of rows of the smallest table that the input indexes; None without one.

    Other tables, such as that of positions, are indexed by computed values.
    """
    tables = [part for part in network.submodules if isinstance(part, tf_keras.layers.Embedding)]
    rows = [table.input_dim for table in tables if _reads_input(table)]
    return min(rows, default=None)


def _reads_input(layer: tf_keras.layers.Layer) -> bool:
    return any(
        isinstance(before, tf_keras.layers.InputLayer)
        for node in layer.inbound_nodes
        for before in tf.nest.flatten(node.inbound_layers)
    )


def fitted(
    network: tf_keras.Model, path: Any, shape: Sequence[int], kind: str, ending: Ending
) -> tf_keras.Model:
    """Return the network with one input called `x`, of this shape and type, and logits as output.

    Images of one channel may lack the channel axis.

    Args:
        path: name of the network in errors.
        shape: shape of one example.
        kind: "float32", or "int32" for ids.
        ending: activation that is removed from the end: the runtime computes it.

    Raises:
        UsageError: its input does not fit the data, or its outputs are not logits.
    """
    _refuse_odd(network, path)
    plain = tf_keras.Model(network.inputs, network.outputs)  # the graph of a Sequential
    config = in_float32(copy.deepcopy(plain.get_config()))
    _set_input(config, path, tuple(plain.inputs[0].shape[1:]), tuple(shape), kind)
    ending.remove(_last(config), path)
    with named(path, "be rebuilt for the shape of the data"):
        made = tf_keras.Model.from_config(config)
        # In their order: a custom layer may not keep its name.
        ours, theirs = ([each for each in one.layers if each.weights] for one in (made, plain))
        for layer, other in zip(ours, theirs, strict=True):
            layer.set_weights(other.get_weights())
    made._name = _NOT_IN_SCOPES.sub(".", network.name)
    return made


def refuse_changed(
    before: tf_keras.Model, after: tf_keras.Model, examples: np.ndarray, path: Any, ending: Ending
) -> None:
    """Compare the answers of both networks on examples, (examples, ...).

    Args:
        ending: activation of the outputs before, if they have one.

    Raises:
        UsageError: the answers differ, are still probabilities, or depend on the other examples.
    """
    first = before.inputs[0]
    asked = tf.cast(examples, first.dtype)
    if len(first.shape) > len(asked.shape):
        asked = asked[..., None]  # an axis of one channel
    with named(path, "answer the data's first examples"):
        if first.shape[0] is None:
            wanted = _only(before(asked, training=False))
        else:
            wanted = np.concatenate([_only(before(row[None], training=False)) for row in asked])
        logits = _only(after(tf.constant(examples), training=False))
        few = examples[:_ALONE]
        alone = [_only(after(tf.constant(row[None]), training=False)) for row in few]
    if not np.isfinite(logits).all():
        raise UsageError(
            f"{path}: its answers to the data's examples are not finite; train it again"
        )
    refuse_other_answers(np.concatenate(alone), logits[:_ALONE], path)
    ours = ending.of(logits) if ending.is_of(wanted) else logits
    if ending.is_of(logits):
        raise UsageError(
            f"{path}: its outputs are probabilities, whose {ending.name} cannot be separated; end "
            f"it with Dense(..., {ending.name!r}), or better a Dense layer of plain logits"
        )
    difference = float(np.max(np.abs(ours - wanted)))
    in_half = any(layer.compute_dtype in _HALVES for layer in before.layers)
    most = ROUNDING_OF_HALVES if in_half else 1e-5
    if not difference <= most * max(1.0, float(np.max(np.abs(wanted)))):
        kind, remedy = "", "end it with a Dense layer of plain logits"
        if first.dtype.is_integer and examples.dtype.kind == "f":
            kind = f" of {examples.dtype}, not {first.dtype.name},"
            remedy = "only networks that begin with an Embedding get whole numbers"
        raise UsageError(
            f"{path}: with an input named {INPUT!r}{kind} and without its {ending.name} its "
            f"answers differ by {difference:.2g}; {remedy}"
        )


def _only(outputs: Any) -> np.ndarray:
    """The array of the only output, which may have a name."""
    (output,) = tf.nest.flatten(outputs)
    array: np.ndarray = output.numpy()
    return array


def _refuse_odd(network: tf_keras.Model, path: Any) -> None:
    keras_file.refuse_odd(network, path)
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise UsageError(
            f"{path}: has {len(network.inputs)} inputs and {len(network.outputs)} outputs; a "
            "network that is adopted has one of each"
        )


def _set_input(
    config: dict[str, Any], path: Any, has: tuple[Any, ...], shape: tuple[int, ...], kind: str
) -> None:
    """Rename the input, and append a channel axis if the data has none."""
    ((old, _, _),) = config["input_layers"]
    layers = config["layers"]
    if old != INPUT and any(layer["name"] == INPUT for layer in layers):
        raise UsageError(f"{path}: an inner layer is named {INPUT!r}; rename it")
    (entry,) = [layer for layer in layers if layer["name"] == old]
    fits = len(has) == len(shape) and all(a in (None, b) for a, b in zip(has, shape, strict=True))
    widened = has == (*shape, 1)
    if not fits and not widened:
        raise UsageError(
            f"{path}: takes examples of the shape {has}, and the data has {shape}; give it the "
            "data that it was trained on"
        )
    entry["name"] = entry[_CONFIG]["name"] = INPUT
    entry[_CONFIG] |= {"batch_input_shape": (None, *shape), "dtype": kind}
    reader = INPUT
    if widened:
        reader = _CHANNEL
        layers.append(
            {
                "class_name": "Reshape",
                "config": {"name": reader, "target_shape": has},
                "name": reader,
                "inbound_nodes": [],
            }
        )
    for layer in layers:
        layer["inbound_nodes"] = _redirected(layer["inbound_nodes"], old, reader)
    if widened:
        layers[-1]["inbound_nodes"] = [[[INPUT, 0, 0, {}]]]
    config["input_layers"] = [[INPUT, 0, 0]]


def _redirected(node: Any, old: str, new: str) -> Any:
    """Calls with layer `old` replaced by `new`; a tensor is [name, node, tensor, ...]."""
    if isinstance(node, dict):
        return {key: _redirected(value, old, new) for key, value in node.items()}
    if not isinstance(node, list | tuple):
        return node
    made = [_redirected(one, old, new) for one in node]
    is_tensor = len(made) >= 3 and made[0] == old and all(type(at) is int for at in made[1:3])
    return [new, *made[1:]] if is_tensor else made


def _last(config: dict[str, Any]) -> dict[str, Any]:
    """The layer of the network's output; if that is a nested model, its last layer."""
    entry = config["layers"][-1]
    if "output_layers" in config:
        ((name, _, _),) = config["output_layers"]
        (entry,) = [layer for layer in config["layers"] if layer["name"] == name]
    inner: dict[str, Any] = entry
    return _last(inner[_CONFIG]) if "layers" in inner[_CONFIG] else inner
