"""Routers without training: the baselines for a learned router.

Both are ordinary networks, so that they convert to the same small file as any router. Random
hyperplanes divide the router's input space; the sides of an input are its bits, which select an
expert.

`hash`: one bit for each hyperplane, so that similar inputs are routed to the same expert (Charikar,
2002, Similarity estimation techniques from rounding algorithms).

`random`: a bit is the parity of many hyperplanes, so that the expert is determined by the input,
but is almost independent of its content.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

import numpy as np
import tensorflow as tf
import tf_keras

from ..activations import sparse_step
from ..inference import predict
from ..networks import Shapes

KINDS = ("hash", "random")
_PARITY = 6  # number of hyperplanes for a random bit
layers = tf_keras.layers


def router(
    kind: str,
    ours: ModuleType,
    shapes: Shapes,
    experts: int,
    inputs: Mapping[str, np.ndarray],
    seed: int,
) -> tf_keras.Model:
    """Build a router, "hash" or "random".

    Args:
        ours: module of the networks for the kind of data.
        inputs: training inputs; half of them lie on either side of each hyperplane.
    """
    bits = max(1, (experts - 1).bit_length())
    planes = bits * (_PARITY if kind == "random" else 1)
    symbols, sides = ours.projected(shapes, planes)
    _cut(tf_keras.Model(symbols, sides), inputs, np.random.default_rng(seed))
    output = layers.Activation(sparse_step)(sides)
    if kind == "random":
        output = _parities(output, bits)
    named = np.array([[expert >> bit & 1 for expert in range(experts)] for bit in range(bits)])
    output = _fixed(output, 2 * named - 1, -named.sum(axis=0))  # minus the number of differing bits
    return tf_keras.Model(symbols, output)


def _cut(
    projection: tf_keras.Model, inputs: Mapping[str, np.ndarray], random: np.random.Generator
) -> None:
    """Draw the hyperplanes, each through the median of the inputs."""
    layer = projection.layers[-1]
    shape = layer.weights[0].shape
    weights = random.standard_normal(shape) / np.sqrt(shape[0])
    layer.set_weights([weights, np.zeros(shape[-1])])
    layer.set_weights([weights, -np.median(predict(projection, inputs), axis=0)])
    layer.trainable = False


def _parities(bits: tf.Tensor, count: int) -> tf.Tensor:
    """Parities of groups of `_PARITY` bits, 1 for an odd number of ones: (rows, count).

    Computed as 1 - 1 + 1 ..., with a term for each whole number that the sum of bits reaches.
    """
    numbers = np.tile(np.arange(1, _PARITY + 1), count)
    groups = np.kron(np.eye(count), np.ones((_PARITY, 1)))
    reached = _fixed(bits, np.repeat(groups, _PARITY, axis=1), 0.5 - numbers)
    signs = np.where(numbers % 2, 1, -1)[:, None]
    return _fixed(layers.Activation(sparse_step)(reached), groups * signs, np.zeros(count))


def _fixed(inputs: tf.Tensor, weights: np.ndarray, bias: np.ndarray) -> tf.Tensor:
    """A linear layer with given weights, which are not trained."""
    layer = layers.Dense(weights.shape[1], trainable=False)
    output = layer(inputs)
    layer.set_weights([weights, bias])
    return output
