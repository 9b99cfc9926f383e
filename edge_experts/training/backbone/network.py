"""The user's pretrained network: its file, and the layer whose outputs are features."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tf_keras

from ...errors import UsageError
from ..custom_errors import named
from ..networks import plain_network
from ..saved_networks import keras_file

layers = tf_keras.layers

OPTION, LAYER_OPTION = "--backbone", "--backbone-layer"
# Layers after a classifier, which have no weights.
_ENDINGS = (layers.Activation, layers.Softmax, layers.Flatten, layers.Reshape, layers.Dropout)
_SCALING = (layers.Rescaling, layers.Normalization)
_COLOURS = 3
_SHOWN = 12


@dataclass(frozen=True)
class Backbone:
    """A network from one input to features, (batch, units) or maps of them.

    Attributes:
        network: of one input and one output.
        layer: name of the layer whose output it is.
        taken: that layer in words.
        digest: SHA-256 of the file.
        path: the file.
    """

    network: tf_keras.Model
    layer: str
    taken: str
    digest: str
    path: Path

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of an input, without the batch axis; None for an axis of any length."""
        return tuple(self.network.inputs[0].shape[1:])

    @property
    def scales_inputs(self) -> bool:
        """True if a layer scales or normalizes inputs, so that they are given as they are."""
        return any(isinstance(one, _SCALING) for one in self.network.submodules)

    @property
    def image_size(self) -> int | None:
        """Side of its photos in pixels; None if it takes any.

        Raises:
            UsageError: it does not take square photos.
        """
        shape = self.input_shape
        if len(shape) != 3 or shape[2] not in (1, _COLOURS):
            raise UsageError(
                f"{OPTION} {self.path}: takes inputs of the shape {shape}, not photos "
                "(height, width, 1 or 3)"
            )
        if shape[0] != shape[1]:
            raise UsageError(
                f"{OPTION} {self.path}: takes photos of {shape[1]} x {shape[0]} pixels; photos are "
                "resized to squares, so build it with an input of equal sides"
            )
        return shape[0]

    def fitted_to(self, shape: Sequence[int]) -> tf_keras.Model:
        """Build the network from an input `x` to one vector of features, (batch, units).

        Feature maps are averaged over their places. Grey inputs are repeated for a network of three
        colours. Batch normalization and dropout work as in inference, also in training.

        Args:
            shape: of one example.

        Raises:
            UsageError: the network takes examples of another shape.
        """
        inputs = tf_keras.Input(tuple(shape), dtype="float32", name="x")
        output, has = inputs, self.input_shape
        if len(has) == len(shape) + 1:
            output = layers.Reshape((*shape, 1), name="backbone_channel")(output)
        if len(has) == len(output.shape) - 1 and has[-1] == _COLOURS and output.shape[-1] == 1:
            output = layers.Concatenate(name="backbone_colours")([output] * _COLOURS)
        given = tuple(output.shape[1:])
        if len(has) != len(given) or any(
            a not in (None, b) for a, b in zip(has, given, strict=True)
        ):
            raise UsageError(
                f"{OPTION} {self.path}: takes examples of the shape {has}, and the data has "
                f"{tuple(shape)}; give it data of that shape"
            )
        output = self.network(output, training=False)
        pool = {4: layers.GlobalAveragePooling2D, 3: layers.GlobalAveragePooling1D}
        if len(output.shape) in pool:
            output = pool[len(output.shape)](name="backbone_pooled")(output)
        if len(output.shape) != 2 or output.shape[-1] is None:
            raise UsageError(
                f"{OPTION} {self.path}: {self.taken} gives {tuple(output.shape[1:])}, which are "
                f"neither features nor maps of features; name another layer by {LAYER_OPTION}"
            )
        return tf_keras.Model(inputs, output, name="backbone")


def read(path: str | Path, layer: str | None = None) -> Backbone:
    """Read the file, and take the features of a layer.

    Without `layer`, they are the inputs of the classifier at the end: of the last Dense layer, or
    convolution to one place. A network without a classifier gives its outputs.

    Raises:
        UsageError: the file is no network that can be used; the message says why.
    """
    path = Path(path)
    network = keras_file.read(path)
    name = f"{OPTION} {path}"
    keras_file.refuse_odd(network, name)
    with named(name, "compute in float32"):
        network = plain_network.plain(network)
    if layer is None and (len(network.inputs) != 1 or len(network.outputs) != 1):
        raise UsageError(
            f"{name}: has {len(network.inputs)} inputs and {len(network.outputs)} outputs; name a "
            f"layer by {LAYER_OPTION} that needs one input only"
        )
    plain = tf_keras.Model(network.inputs, network.outputs, name=network.name)
    if layer is None:
        features, layer, taken = _before_classifier(plain)
    else:
        features, taken = _at(plain, layer, name), f"the layer {layer!r}"
    if not features.inputs[0].dtype.is_floating:
        raise UsageError(
            f"{name}: takes {features.inputs[0].dtype.name}; a backbone takes real numbers, such "
            "as photos and windows of sensors"
        )
    return Backbone(features, layer, taken, hashlib.sha256(path.read_bytes()).hexdigest(), path)


def _before_classifier(network: tf_keras.Model) -> tuple[tf_keras.Model, str, str]:
    """The network without its classifier, the name of its last layer, and that in words."""
    last = _maker(network.output)
    while isinstance(last, _ENDINGS):
        last = _maker(last.input)
    if isinstance(last, tf_keras.Model) and len(last.outputs) == 1:
        inner, layer, taken = _before_classifier(last)
        made = tf_keras.Model(network.inputs, inner(last.get_input_at(-1)), name=network.name)
        return made, layer, taken
    if not _classifies(last):
        layer = _maker(network.output).name
        return network, layer, f"its output, of the layer {layer!r}"
    before = last.input
    while isinstance(_maker(before), layers.Dropout):
        before = _maker(before).input
    layer = _maker(before).name
    words = f"the layer {layer!r}, before the classifier {last.name!r}"
    return tf_keras.Model(network.inputs, before, name=network.name), layer, words


def _classifies(layer: tf_keras.layers.Layer) -> bool:
    """True for a Dense layer of vectors, or a convolution of maps with one place."""
    if isinstance(layer, layers.Dense):
        return len(layer.input.shape) == 2
    return isinstance(layer, layers.Conv2D) and tuple(layer.output.shape[1:3]) == (1, 1)


def _maker(tensor: Any) -> tf_keras.layers.Layer:
    return tensor.node.layer


def _at(network: tf_keras.Model, layer: str, name: str) -> tf_keras.Model:
    """The network up to a layer.

    Raises:
        UsageError: there is no such layer, or it needs several inputs.
    """
    known = [each.name for each in network.layers if not isinstance(each, layers.InputLayer)]
    if layer not in known:
        shown = ", ".join(known[-_SHOWN:])
        raise UsageError(f"{name}: has no layer {layer!r}; {LAYER_OPTION} may be one of {shown}")
    output = network.get_layer(layer).get_output_at(-1)
    if isinstance(output, list | tuple | dict):
        raise UsageError(f"{name}: the layer {layer!r} has several outputs; name another")
    for tensor in network.inputs:
        try:
            return tf_keras.Model(tensor, output, name=network.name)
        except ValueError:  # "Graph disconnected"
            continue
    raise UsageError(
        f"{name}: the layer {layer!r} needs several inputs; a backbone has one, so name a layer by "
        f"{LAYER_OPTION} that needs one only"
    )
