"""Activations that Keras does not have."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
import tf_keras

BY_NAME = {"relu": "relu", "sparse_step": "edge_experts>sparse_step"}  # Keras names


@tf_keras.saving.register_keras_serializable("edge_experts")
def sparse_step(x: tf.Tensor) -> tf.Tensor:
    """The sparse activation: g(x) = 1 for x > 0, else 0; any shape, the type of `x`.

    The gradient of the step is 0 everywhere. It is replaced by that of the hard tanh, clip(x, -1,
    1): 1 where |x| <= 1, else 0. This is the straight-through estimator of Hubara et al. (2016,
    Binarized neural networks) after Bengio et al. (2013, Estimating or propagating gradients
    through stochastic neurons). A unit learns while its input is near the step.
    """
    return _step(x)


@tf.custom_gradient
def _step(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    def straight_through(upstream: tf.Tensor) -> tf.Tensor:
        return upstream * tf.cast(tf.abs(x) <= 1, x.dtype)

    # Instead of `where(x > 0, 1, 0)`: a converted file then has only a comparison and a cast.
    return tf.cast(x > 0, x.dtype), straight_through
