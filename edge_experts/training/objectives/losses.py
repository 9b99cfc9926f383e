"""Losses of training, as functions of the gate's and the experts' logits.

`hard` is the distribution of labels (rows, labels): one-hot, or mixed for mixed inputs; `soft` is
the teacher's logits (rows, labels), or None. All return one number for each row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf
import tf_keras


@dataclass(frozen=True)
class AnswerLoss:
    """Loss of an answer: (1 - w) * cross-entropy + w * T**2 * KL to the teacher's answer.

    Hinton et al., 2015, Distilling the knowledge in a neural network.

    Targets are (rows, 1 + labels), the index of the label and then a teacher's logits, or (rows, 1)
    without a teacher.

    Args:
        share: w, the share of the teacher.
        temperature: T, the divisor of both logits.
    """

    share: float = 0.7
    temperature: float = 2.0
    best: ClassVar[str] = "accuracy"

    def split(self, targets: tf.Tensor, labels: int) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Distributions of labels, and logits of a teacher, from targets as above."""
        hard = tf.one_hot(tf.cast(targets[:, 0], tf.int32), labels)
        return hard, targets[:, 1:] if targets.shape[1] > 1 else None

    def metrics(self, labels: int) -> list[tf_keras.metrics.Metric]:
        """Scores of the validation examples; `best` is the one that selects the best epoch."""
        return [
            tf_keras.metrics.SparseCategoricalAccuracy("accuracy"),
            tf_keras.metrics.SparseCategoricalCrossentropy("cross_entropy", from_logits=True),
        ]

    def chance(self, score: float, examples: int) -> float:
        """Standard error of the score on this number of validation examples."""
        return math.sqrt(max(0.0, score * (1 - score)) / examples)

    def truth(self, targets: tf.Tensor, labels: int) -> tf.Tensor:
        """Reference values of `metrics`."""
        return targets[:, 0]

    def loss(self, logits: tf.Tensor, hard: tf.Tensor, soft: tf.Tensor | None) -> tf.Tensor:
        """Losses (..., rows) for logits (..., rows, labels)."""
        own = _cross_entropy(hard, logits)
        if soft is None:
            return own
        taught = _divergence(soft / self.temperature, logits / self.temperature)
        return (1 - self.share) * own + self.share * self.temperature**2 * taught

    def of(self, logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Losses (rows,) for logits (rows, labels), with targets as for a `Learner`."""
        hard, soft = self.split(targets, logits.shape[-1])
        return self.loss(logits, hard, soft)

    def likelihood(
        self, gate: tf.Tensor, logits: tf.Tensor, hard: tf.Tensor, soft: tf.Tensor | None
    ) -> tf.Tensor:
        """-log sum_i p_i(x) P_i(y|x), the likelihood of the mixture of all experts.

        Jacobs et al., 1991, Adaptive mixtures of local experts. A teacher's answers are mixed into
        the label by their share.

        Args:
            gate: log p, (rows, experts).
            logits: (experts, rows, labels).
        """
        target = hard
        if soft is not None:
            target = (1 - self.share) * hard + self.share * tf.nn.softmax(soft)
        return -tf.reduce_sum(target * mixture(gate, logits), axis=-1)

    def expectation(
        self, gate: tf.Tensor, logits: tf.Tensor, hard: tf.Tensor, soft: tf.Tensor | None
    ) -> tf.Tensor:
        """sum_i p_i(x) loss_i(x): the expected loss if one expert is drawn by the gate.

        The device answers this way once the gate is certain. With the likelihood, experts could
        rely on each other.
        """
        return tf.reduce_sum(tf.transpose(tf.exp(gate)) * self.loss(logits, hard, soft), axis=0)


def mixture(gate: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """log sum_i p_i(x) P_i(y|x), (rows, labels), from log p and the experts' logits."""
    answers = tf.transpose(gate)[:, :, None] + tf.nn.log_softmax(logits)
    return tf.reduce_logsumexp(answers, axis=0)


def balance(gate: tf.Tensor) -> tf.Tensor:
    """N * sum_i mean(p_i)**2: 1 for equal use of all experts, N if only one is used."""
    share = tf.reduce_mean(tf.exp(gate), axis=0)
    replicas = tf.distribute.get_replica_context()
    if replicas is not None and replicas.num_replicas_in_sync > 1:
        share = replicas.all_reduce(tf.distribute.ReduceOp.MEAN, share)
    return tf.cast(tf.shape(gate)[1], gate.dtype) * tf.reduce_sum(share**2)


def right(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """1 for each correct answer, else 0; targets are labels, or begin with them."""
    labels = tf.cast(tf.reshape(targets, (tf.shape(logits)[0], -1))[:, 0], tf.int64)
    return tf.cast(tf.argmax(logits, axis=-1) == labels, tf.float32)


def _cross_entropy(target: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return -tf.reduce_sum(target * tf.nn.log_softmax(logits), axis=-1)


def _divergence(teacher: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    target = tf.nn.softmax(teacher)
    return tf.reduce_sum(target * (tf.nn.log_softmax(teacher) - tf.nn.log_softmax(logits)), axis=-1)
