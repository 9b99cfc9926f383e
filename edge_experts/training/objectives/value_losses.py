"""Losses and scores of values to predict, as functions of the gate's and the experts' outputs.

`hard` is the target values (rows, outputs), standardized; `soft` is a teacher's values, or None.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
import tf_keras

_LEAST_VARIANCE = 1e-4  # of standardized targets; equals an R2 of 0.9999
_MOMENTUM = 0.95  # of the variance's running mean


class ValueAnswers(tf.Module):
    """Squared error, and the likelihood of a mixture of Gaussians with one variance for all.

    The variance is a running mean of the squared error of the experts, each weighted by the
    probability that it produced the target: the maximization step of expectation-maximization
    (Jordan & Jacobs, 1994, Hierarchical mixtures of experts and the EM algorithm). It starts at 1,
    that of the standardized targets, so that experts share all examples at first and specialize as
    they learn.

    Args:
        share: share of a teacher's values in the targets.
    """

    best = "r2"

    def __init__(self, share: float = 0.7):
        super().__init__()
        self.share = share
        self.variance = tf.Variable(
            1.0,
            trainable=False,
            name="variance",
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.MEAN,
        )

    def split(self, targets: tf.Tensor, outputs: int) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Target values and a teacher's, from (rows, outputs) or (rows, 2 * outputs)."""
        taught = targets.shape[1] > outputs
        return targets[:, :outputs], targets[:, outputs:] if taught else None

    def loss(self, outputs: tf.Tensor, hard: tf.Tensor, soft: tf.Tensor | None) -> tf.Tensor:
        """Half the squared error, (..., rows) for outputs (..., rows, outputs)."""
        return 0.5 * tf.reduce_mean((outputs - self._wanted(hard, soft)) ** 2, axis=-1)

    def of(self, outputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Losses (rows,), with targets as for a `Learner`."""
        hard, soft = self.split(targets, outputs.shape[-1])
        return self.loss(outputs, hard, soft)

    def likelihood(
        self, gate: tf.Tensor, outputs: tf.Tensor, hard: tf.Tensor, soft: tf.Tensor | None
    ) -> tf.Tensor:
        """-log sum_i p_i(x) N(y; f_i(x), variance), (rows,).

        Args:
            gate: log p, (rows, experts).
            outputs: f, (experts, rows, outputs).
        """
        squares = self._squares(outputs, hard, soft)
        count = float(outputs.shape[-1])
        log_terms = gate - 0.5 * count * squares / self.variance
        variance = self._follow(tf.stop_gradient(tf.nn.softmax(log_terms) * squares))
        log_terms = gate - 0.5 * count * (squares / variance + tf.math.log(2 * math.pi * variance))
        return -tf.reduce_logsumexp(log_terms, axis=1)

    def expectation(
        self, gate: tf.Tensor, outputs: tf.Tensor, hard: tf.Tensor, soft: tf.Tensor | None
    ) -> tf.Tensor:
        """sum_i p_i(x) (y - f_i(x))**2 / (2 variance), (rows,): one expert is drawn by the gate."""
        squares = self._squares(outputs, hard, soft)
        expected = tf.exp(gate) * squares
        variance = self._follow(tf.stop_gradient(expected))
        return 0.5 * float(outputs.shape[-1]) * tf.reduce_sum(expected, axis=1) / variance

    def metrics(self, outputs: int) -> list[tf_keras.metrics.Metric]:
        """Scores of the validation examples; `best` is the one that selects the best epoch."""
        return [R2(outputs), tf_keras.metrics.MeanSquaredError("squared_error")]

    def chance(self, score: float, examples: int) -> float:
        """Zero: R2 of two epochs on the same examples differs little by chance."""
        return 0.0

    def truth(self, targets: tf.Tensor, outputs: int) -> tf.Tensor:
        """Reference values of `metrics`."""
        return targets[:, :outputs]

    def _wanted(self, hard: tf.Tensor, soft: tf.Tensor | None) -> tf.Tensor:
        """Weighted mean: the squared distances to both equal that to it, plus a constant."""
        return hard if soft is None else (1 - self.share) * hard + self.share * soft

    def _squares(self, outputs: tf.Tensor, hard: tf.Tensor, soft: tf.Tensor | None) -> tf.Tensor:
        """Mean squared error over the outputs, (rows, experts)."""
        error = outputs - self._wanted(hard, soft)
        return tf.transpose(tf.reduce_mean(error**2, axis=-1))

    def _follow(self, weighted: tf.Tensor) -> tf.Tensor:
        """Update the running variance by these errors, (rows, experts), weighted by probability."""
        now = tf.reduce_mean(tf.reduce_sum(weighted, axis=1))
        self.variance.assign(
            tf.maximum(_MOMENTUM * self.variance + (1 - _MOMENTUM) * now, _LEAST_VARIANCE)
        )
        return tf.identity(self.variance)


class R2(tf_keras.metrics.Metric):
    """Explained share of the variance of the targets, averaged over the outputs."""

    def __init__(self, outputs: int, name: str = "r2", **kwargs: Any):
        super().__init__(name, **kwargs)
        self._count = self.add_weight(name="count", initializer="zeros")
        self._sums = [
            self.add_weight(name=name, shape=(outputs,), initializer="zeros")
            for name in ("total", "squares", "errors")
        ]

    def update_state(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None
    ) -> None:
        y_true = tf.cast(y_true, tf.float32)
        self._count.assign_add(tf.cast(tf.shape(y_true)[0], tf.float32))
        for weight, values in zip(
            self._sums, (y_true, y_true**2, (y_pred - y_true) ** 2), strict=True
        ):
            weight.assign_add(tf.reduce_sum(values, axis=0))

    def reset_state(self) -> None:
        for weight in (self._count, *self._sums):
            weight.assign(tf.zeros_like(weight))

    def result(self) -> tf.Tensor:
        total, squares, errors = self._sums
        spread = squares - total**2 / tf.maximum(self._count, 1.0)
        # For a constant target, a smaller error is better.
        return tf.reduce_mean(1 - errors / tf.where(spread > 1e-6 * self._count, spread, 1.0))
