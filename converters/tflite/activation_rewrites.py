"""Activations without an operator in TFLite, rewritten with operators that are exact in int8.

Imported only in the worker process: it needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import tensorflow as tf


@contextmanager
def written_for_tflite() -> Iterator[None]:
    """Trace Keras's activations as they are rewritten here, in this context."""
    keras = tf.compat.v2  # from which tf_keras takes them
    with (
        mock.patch.object(keras.nn, "selu", selu),
        mock.patch.object(keras.math, "softplus", softplus),
    ):
        yield


def selu(x: tf.Tensor, name: str | None = None) -> tf.Tensor:
    """Compute SELU (Klambauer et al., 2017, Self-normalizing neural networks) by TFLite's ELU.

    The converter's version takes the exponential of positive numbers too: in int8 their range
    leaves no precision for the negative ones. A minimum does not prevent that: in int8 it must have
    the range of its input, so that the other branch would lose the values of `x` above it.
    """
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * alpha * tf.nn.elu(x) + scale * (1 - alpha) * _relu(x)


def softplus(x: tf.Tensor, name: str | None = None) -> tf.Tensor:
    """Compute log(1 + exp(x)), whose exponential would overflow int8 (and, from 89 on, float32).

    The same is relu(x) - log(sigmoid(|x|)), where each part has a range of its own.
    """
    return _relu(x) - tf.math.log(tf.sigmoid(tf.abs(x)))


def _relu(x: tf.Tensor) -> tf.Tensor:
    """Compute ReLU by operators that the converter does not recognize as one.

    Otherwise it would compute the layer before twice, once with it and once without.
    """
    return (x + tf.abs(x)) * 0.5
