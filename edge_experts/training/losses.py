"""Losses that Keras does not have."""

from __future__ import annotations

import tensorflow as tf
import tf_keras


class Distillation(tf_keras.losses.Loss):
    """(1 - w) * cross-entropy + w * T**2 * cross-entropy to a teacher's softened answers.

    Hinton et al., 2015, Distilling the knowledge in a neural network. `y_true` is (batch,
    1 + labels): the label's index, then the teacher's logits; `y_pred` is logits.

    Args:
        weight: w, the teacher's share.
        temperature: T, by which both sides' logits are divided.
    """

    def __init__(self, weight: float, temperature: float = 2.0):
        super().__init__(name="distillation")
        self.weight, self.temperature = weight, temperature

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        labels, teacher = (
            tf.cast(y_true[:, 0], tf.int32),
            tf.nn.softmax(y_true[:, 1:] / self.temperature),
        )
        hard = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, y_pred)
        soft = tf.nn.softmax_cross_entropy_with_logits(teacher, y_pred / self.temperature)
        return (1 - self.weight) * hard + self.weight * self.temperature**2 * soft
