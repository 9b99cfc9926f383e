"""Activations that TFLite has no operator for, written by those it has so that int8 holds them.

Imported in the worker process only: it needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import tensorflow as tf


@contextmanager
def written_for_tflite() -> Iterator[None]:
    """While it holds, Keras's activations are traced as they are written here."""
    keras = tf.compat.v2  # where tf_keras takes them from
    with (
        mock.patch.object(keras.nn, "selu", selu),
        mock.patch.object(keras.math, "softplus", softplus),
    ):
        yield


def selu(x: tf.Tensor, name: str | None = None) -> tf.Tensor:
    """SELU (Klambauer et al., 2017, Self-normalizing neural networks) by TFLite's ELU.

    What the converter makes of it takes the exponential of positive numbers too: in int8 their
    range leaves nothing of the negative ones. A minimum does not keep them out: in int8 it must
    have the range of its input, so that nothing of `x` above it is left for the other branch.
    """
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * alpha * tf.nn.elu(x) + scale * (1 - alpha) * _relu(x)


def softplus(x: tf.Tensor, name: str | None = None) -> tf.Tensor:
    """log(1 + exp(x)), whose exponential would outgrow int8 (and, from 89 on, float32).

    The same is relu(x) - log(sigmoid(|x|)), where each part is of a range of its own.
    """
    return _relu(x) - tf.math.log(tf.sigmoid(tf.abs(x)))


def _relu(x: tf.Tensor) -> tf.Tensor:
    """ReLU, in words that the converter does not take for one: it would compute the layer before
    once with it and once without."""
    return (x + tf.abs(x)) * 0.5
