"""Combination of several experts' outputs, by their kind: logits of labels, sets, or values."""

from __future__ import annotations

from typing import Protocol

import tensorflow as tf

from .losses import mixture


class Combination(Protocol):
    """Combines the outputs of experts, (experts, rows, outputs)."""

    def mixture(self, gate: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Weighted by a gate's log-probabilities (rows, experts); returns (rows, outputs)."""

    def total(self, outputs: tf.Tensor) -> tf.Tensor:
        """Sum of all experts; returns (rows, outputs)."""


class _Labels:
    """Logits in, log-probabilities out."""

    def mixture(self, gate: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        return mixture(gate, outputs)

    def total(self, outputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.log_softmax(tf.reduce_sum(outputs, axis=0))


class _Values:
    def mixture(self, gate: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.transpose(tf.exp(gate))[:, :, None] * outputs, axis=0)

    def total(self, outputs: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(outputs, axis=0)


class _Sets:
    """Logits of independent labels in and out; a mixture is of their probabilities."""

    def mixture(self, gate: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        gate = tf.transpose(gate)[:, :, None]
        there = tf.reduce_logsumexp(gate + tf.math.log_sigmoid(outputs), axis=0)
        absent = tf.reduce_logsumexp(gate + tf.math.log_sigmoid(-outputs), axis=0)
        return there - absent

    def total(self, outputs: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(outputs, axis=0)


COMBINATIONS: dict[str, Combination] = {
    "labels": _Labels(),
    "values": _Values(),
    "sets": _Sets(),
    "inputs": _Values(),
}
