"""Joint training of a router and all experts, for one stage and one objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tf_keras

from .expert_batching import bank_of
from .model import SparseExperts, answer, asked
from .objectives.losses import balance

OBJECTIVES = ("likelihood", "expectation", "own")


@dataclass(frozen=True)
class Objective:
    """Objective that a stage minimizes.

    Args:
        answers: loss of an answer: `losses.Answers` or `value_losses.ValueAnswers`.
        kind: "likelihood" of the mixture of all experts; "expectation" of the loss if one expert is
            drawn by the gate; "own", each expert's loss on its own rows, with a frozen router.
        balance: weight of `losses.balance`.
        gate_temperature: divisor of the gate's logits at the first and the last step, falling by
            equal ratios: the gate gradually becomes a hard choice.
        steps: number of steps.
        decay: weight of |mean(w)|**2 over the experts' parameters.
        tie: weight of sum_i |w_i - mean(w)|**2. With both penalties experts share common structure,
            and differ where the data requires it. A penalty on each expert alone would weigh N
            times as much relative to its share of the data.
        augment: changes the inputs of a batch at random, (rows, ...) arrays; None: unchanged.
    """

    answers: Any
    kind: str = "likelihood"
    balance: float = 0.0
    gate_temperature: tuple[float, float] = (1.0, 1.0)
    steps: int = 1
    decay: float = 0.0
    tie: float = 0.0
    augment: Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]] | None = None


class Learner(tf_keras.Model):
    """A `SparseExperts` model in training; `finish` copies the result to it.

    Targets are those of `answers`, optionally followed by a teacher's outputs. With the objective
    "own", inputs, targets and sample weights have a further axis, (rows, experts, ...), with rows
    for each expert; a weight of 0 marks padding.

    The output is that of the model as deployed, (rows, labels) or (rows, outputs).
    """

    def __init__(self, model: SparseExperts, objective: Objective, *, trains_router: bool = True):
        super().__init__()
        self.router, self.top_k = model.router, model.top_k
        self.bank = bank_of(model.experts)
        self.objective, self.output_kind = objective, model.output_kind
        self.answers = objective.answers  # tracked by Keras if it has a state
        self._loss = tf_keras.metrics.Mean("loss")
        self._scores = objective.answers.metrics(model.experts[0].output_shape[-1])
        self._own = objective.kind == "own"
        if self.router is not None:
            self.router.trainable = trains_router
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        gate, logits = self._asked(inputs, training)
        return answer(gate, logits, self.top_k, self.output_kind)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        inputs, targets, weights = tf_keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            if self._own:
                inputs, targets, weights = tf.nest.map_structure(_by_expert, data)
            if self.objective.augment is not None:
                inputs = self.objective.augment(inputs)
            gate, logits = self._asked(inputs, training=True)
            loss = self._loss_of(gate, logits, targets, weights) + self._penalty()
            loss += tf.add_n([0.0, *self.losses])  # losses of the layers
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            share = loss / tf.cast(replicas, loss.dtype)
        variables = self.trainable_variables
        # Parameters of a hashing router have no gradient.
        gradients = tape.gradient(share, variables, unconnected_gradients="zero")
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        self._loss.update_state(loss)
        return {"loss": self._loss.result()}

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        inputs, targets, _ = tf_keras.utils.unpack_x_y_sample_weight(data)
        answers = self(inputs, training=False)
        truth = self.answers.truth(targets, answers.shape[-1])
        for metric in self._scores:
            metric.update_state(truth, answers)
        return {metric.name: metric.result() for metric in self._scores}

    @property
    def metrics(self) -> list[tf_keras.metrics.Metric]:
        return [self._loss, *self._scores]

    def finish(self, model: SparseExperts) -> None:
        """Copy the bank's parameters to the model's experts; the router is shared."""
        self.bank.write(model.experts)
        if self.router is not None:
            self.router.trainable = True

    def _asked(self, inputs: Any, training: bool) -> tuple[tf.Tensor | None, tf.Tensor]:
        gate = None
        if self.router is not None:
            gate, inputs = asked(self.router, inputs, training)
        return gate, self.bank(inputs, training=training, own=training and self._own)

    def _loss_of(
        self,
        gate: tf.Tensor | None,
        logits: tf.Tensor,
        targets: tf.Tensor,
        weights: tf.Tensor | None,
    ) -> tf.Tensor:
        objective, answers = self.objective, self.answers
        if self._own:
            rows = answers.of(tf.reshape(logits, (-1, logits.shape[-1])), targets)
            return tf.reduce_mean(rows * weights)
        hard, soft = answers.split(targets, logits.shape[-1])
        if gate is None:
            return tf.reduce_mean(answers.loss(tf.reduce_sum(logits, axis=0), hard, soft))
        gate = tf.nn.log_softmax(gate / self._gate_temperature())
        judge = {"likelihood": answers.likelihood, "expectation": answers.expectation}
        rows = judge[objective.kind](gate, logits, hard, soft)
        return tf.reduce_mean(rows) + objective.balance * balance(gate)

    def _gate_temperature(self) -> tf.Tensor:
        first, last = self.objective.gate_temperature
        passed = tf.cast(self.optimizer.iterations, tf.float32) / self.objective.steps
        return first * (last / first) ** tf.minimum(passed, 1.0)

    def _penalty(self) -> tf.Tensor:
        """decay * |mean(w)|**2 + tie * sum_i |w_i - mean(w)|**2."""
        total = tf.constant(0.0)
        if not self.objective.decay and not self.objective.tie:
            return total
        for stack in self.bank.parameters():
            mean = tf.reduce_mean(stack, axis=0)
            total += self.objective.decay * tf.reduce_sum(mean**2)
            total += self.objective.tie * tf.reduce_sum((stack - mean) ** 2)
        return total


def _by_expert(batch: tf.Tensor) -> tf.Tensor:
    """Reorder (rows, experts, ...) to (experts * rows, ...)."""
    order = (1, 0, *range(2, len(batch.shape)))
    return tf.reshape(tf.transpose(batch, order), (-1, *batch.shape[2:]))
