"""Outputs of custom networks that an activation bounds, where logits are expected."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tf_keras

from .shapes import Shapes

_PROBED = 64  # number of random inputs for the check of outputs
_BOUNDED = ("softmax", "sigmoid", "hard_sigmoid", "tanh", "softsign", "relu", "relu6", "softplus")


def bounded_ending(network: tf_keras.Model, shapes: Shapes) -> str | None:
    """Return the activation at the end of an untrained network; None for logits.

    Activations are recognized by name and, for custom functions, by values from 0 to 1: logits are
    below 0 for some inputs, or with the negated parameters of the last layer.
    """
    last = network.layers[-1]
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    kind = type(last).__name__.lower()
    ending = next((name for name in _BOUNDED if name in (activation, kind)), None)
    if ending is None:
        values = [_outputs(network, shapes)]
        with _negated(network):
            values.append(_outputs(network, shapes))
        if np.ptp(values[0]) > 0 and all(each.min() >= 0 and each.max() <= 1 for each in values):
            ending = "a function with values from 0 to 1"
    return ending


def _outputs(network: tf_keras.Model, shapes: Shapes) -> np.ndarray:
    """Outputs for random inputs; zeros if the network cannot answer them."""
    random = np.random.default_rng(0)
    drawn = {
        name: random.normal(0, 10, (_PROBED, *shape)).astype(dtype)
        if np.dtype(dtype).kind == "f"
        else np.zeros((_PROBED, *shape), dtype)
        for name, (shape, dtype) in shapes.inputs.items()
    }
    with contextlib.suppress(Exception):  # of numbers unlike the data; see network_checks.py
        return np.asarray(network(drawn, training=False))
    return np.zeros(1)


@contextlib.contextmanager
def _negated(network: tf_keras.Model) -> Iterator[None]:
    """Negate the trainable parameters of the last layer that has any."""
    layers = (layer.trainable_weights for layer in reversed(network.layers))
    weights: list[tf.Variable] = next(filter(None, layers), [])
    for weight in weights:
        weight.assign(-weight)
    try:
        yield
    finally:
        for weight in weights:
            weight.assign(-weight)
