"""TensorFlow makes files of these networks that are far from Keras in int8; ours are near."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ..conftest import deployed

RANDOM = np.random.default_rng(0)


def _concatenated(keras: Any, x: Any) -> Any:
    """The calibrator takes what is written over the concatenated numbers for these."""
    x = keras.layers.Concatenate()([keras.layers.Dense(4)(x), keras.layers.Dense(4)(x)])
    wide = keras.initializers.Constant(20.0)
    x = keras.layers.BatchNormalization(gamma_initializer=wide)(x)
    return keras.layers.Activation("tanh")(x)


def _selu(keras: Any, x: Any) -> Any:
    """A minimum beside another reader of the same numbers would cut them off for both."""
    x = keras.layers.Conv1D(4, 3)(keras.layers.Reshape((6, 1))(x))
    x = keras.layers.Activation("selu")(x)
    return keras.layers.Flatten()(keras.layers.MaxPooling1D()(x))


def _small_cells(keras: Any, x: Any) -> Any:
    """Of a fused LSTM whose cells stay under a half, the kernel leaves out a tanh."""
    return keras.layers.LSTM(6)(keras.layers.Reshape((3, 2))(x / 4))


def _lstm(keras: Any, x: Any) -> Any:
    """The kernel takes the range of an intermediate for the output's."""
    return keras.layers.LSTM(6)(keras.layers.Reshape((3, 2))(x))


def _softplus(keras: Any, x: Any) -> Any:
    """The exponential of what is positive leaves nothing of int8 for the rest."""
    return keras.layers.Dense(8, "softplus")(3 * x)


@pytest.mark.parametrize("hidden", [_softplus, _concatenated, _selu, _small_cells, _lstm])
def test_int8_is_near_keras(keras: Any, hidden: Callable[[Any, Any], Any]) -> None:
    keras.utils.set_random_seed(1)
    x = keras.Input((6,))
    network = keras.Model(x, keras.layers.Dense(3)(hidden(keras, x)))
    inputs = RANDOM.normal(size=(200, 6)).astype(np.float32)
    wanted = network(inputs).numpy()
    difference = deployed(network, "int8", inputs)[0] - wanted
    assert np.sqrt(np.mean(difference**2)) < 0.08 * wanted.std()


def test_softplus_is_softplus(keras: Any) -> None:
    import tensorflow as tf
    from edge_experts.converters.tflite.activation_rewrites import softplus

    x = np.concatenate([np.linspace(-20, 20, 2001), [-1000, -90, 90, 1000]]).astype(np.float32)
    wanted = np.logaddexp(0, x.astype(np.float64))
    assert np.abs(softplus(tf.constant(x)).numpy() - wanted).max() < 2e-6
