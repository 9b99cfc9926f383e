"""Losses and scores of sets of labels, as functions of the gate's and the experts' logits.

`hard` is 1 for each label of an example and 0 for the others, (rows, labels); `soft` is a teacher's
logits, or None. All return one number for each row, in nats, summed over the labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf
import tf_keras

_STEPS = 100  # thresholds of F1, between 0 and 1


@dataclass(frozen=True)
class SetLoss:
    """Binary cross-entropy, and the likelihood of a mixture of independent labels.

    Targets are (rows, labels), or (rows, 2 * labels) with a teacher's logits behind.

    Args:
        share: share of a teacher's probabilities in the targets.
        temperature: divisor of the logits of both (Hinton et al., 2015).
    """

    share: float = 0.7
    temperature: float = 2.0
    best: ClassVar[str] = "f1_micro"

    def split(self, targets: tf.Tensor, labels: int) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Labels, and a teacher's logits."""
        taught = targets.shape[1] > labels
        return targets[:, :labels], targets[:, labels:] if taught else None

    def loss(self, logits: tf.Tensor, hard: tf.Tensor, soft: tf.Tensor | None) -> tf.Tensor:
        """Losses (..., rows) for logits (..., rows, labels)."""
        own = -_log_likelihood(hard, logits)
        if soft is None:
            return own
        tempered = logits / self.temperature
        taught = -_log_likelihood(tf.sigmoid(soft / self.temperature), tempered)
        return (1 - self.share) * own + self.share * self.temperature**2 * taught

    def of(self, logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Losses (rows,), with targets as for a `Learner`."""
        hard, soft = self.split(targets, logits.shape[-1])
        return self.loss(logits, hard, soft)

    def likelihood(
        self, gate: tf.Tensor, logits: tf.Tensor, hard: tf.Tensor, soft: tf.Tensor | None
    ) -> tf.Tensor:
        """-log sum_i p_i(x) prod_j P_i(y_j|x): one expert gives all labels of an example.

        The router learns from how well each expert explains the whole set.

        Args:
            gate: log p, (rows, experts).
            logits: (experts, rows, labels).
        """
        target = hard
        if soft is not None:
            target = (1 - self.share) * hard + self.share * tf.sigmoid(soft)
        each = tf.transpose(_log_likelihood(target, logits))
        return -tf.reduce_logsumexp(gate + each, axis=1)

    def expectation(
        self, gate: tf.Tensor, logits: tf.Tensor, hard: tf.Tensor, soft: tf.Tensor | None
    ) -> tf.Tensor:
        """sum_i p_i(x) loss_i(x): the expected loss if one expert is drawn by the gate."""
        return tf.reduce_sum(tf.transpose(tf.exp(gate)) * self.loss(logits, hard, soft), axis=0)

    def metrics(self, labels: int) -> list[tf_keras.metrics.Metric]:
        """Scores of the validation examples; `best` is the one that selects the best epoch."""
        return [F1(), tf_keras.metrics.BinaryCrossentropy("cross_entropy", from_logits=True)]

    def chance(self, score: float, examples: int) -> float:
        """Standard error of the score, as if an example were right or wrong as a whole."""
        return math.sqrt(max(0.0, score * (1 - score)) / examples)

    def truth(self, targets: tf.Tensor, labels: int) -> tf.Tensor:
        """Reference values of `metrics`."""
        return targets[:, :labels]


class F1(tf_keras.metrics.Metric):
    """F1 of all labels counted together, at the best threshold that they share."""

    def __init__(self, name: str = "f1_micro", **kwargs: Any):
        super().__init__(name, **kwargs)
        self._right, self._answered = (
            self.add_weight(name=part, shape=(_STEPS,), initializer="zeros")
            for part in ("right", "answered")
        )
        self._wanted = self.add_weight(name="wanted", initializer="zeros")

    def update_state(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None
    ) -> None:
        wanted = tf.reshape(tf.cast(y_true, tf.float32), (-1,))
        probabilities = tf.reshape(tf.sigmoid(y_pred), (-1,))
        bins = tf.cast(probabilities * _STEPS, tf.int32)
        bins = tf.clip_by_value(bins, 0, _STEPS - 1)
        for weight, counted in (
            (self._right, wanted),
            (self._answered, tf.ones_like(wanted)),
        ):
            found = tf.math.unsorted_segment_sum(counted, bins, _STEPS)
            weight.assign_add(tf.cumsum(found, reverse=True))
        self._wanted.assign_add(tf.reduce_sum(wanted))

    def reset_state(self) -> None:
        for weight in (self._right, self._answered, self._wanted):
            weight.assign(tf.zeros_like(weight))

    def result(self) -> tf.Tensor:
        sizes = tf.maximum(self._answered + self._wanted, 1.0)
        return tf.reduce_max(2 * self._right / sizes)


def _log_likelihood(target: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Sum over labels of t log sigmoid(x) + (1 - t) log sigmoid(-x), (..., rows)."""
    return tf.reduce_sum(target * logits - tf.math.softplus(logits), axis=-1)
