"""Training steps of a language model: cross-entropy of the next token, by AdamW.

(Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101)
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from statistics import fmean
from time import perf_counter, process_time
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ...datasets.targets.document_losses import DocumentLoss
from ...features.byte_pairs import END
from ...progress import Progress
from ..checkpoints import EpochClock, Snapshot, Snapshots
from ..randomness import deterministic
from .language_network import LanguageModel
from .token_batches import epoch, steps_of, windows

_TOLD = 50  # number of steps of the reported mean loss
_CLIP = 1.0  # largest norm of the gradients
_IGNORED = -1  # target of padding


class LanguageLearner:
    """Trains a language model.

    Args:
        rate: highest learning rate.
        rows: sequences in a batch.
        weight_decay: of matrices, times the learning rate.
        balance_rate, z_loss, warm_up: see `LanguageSettings`.
        parts: weights to train, each with a mask of its shape, 1 where it may change; by default
            all weights.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        rate: float,
        rows: int,
        weight_decay: float,
        balance_rate: float,
        z_loss: float,
        warm_up: float,
        seed: int,
        parts: Sequence[tuple[tf.Variable, np.ndarray]] = (),
    ):
        self.model, self._rate, self._rows, self._seed = model, rate, rows, seed
        self._balance_rate, self._z_loss, self._warm_up = balance_rate, z_loss, warm_up
        self._optimizer = tf_keras.optimizers.AdamW(
            rate, weight_decay=weight_decay, beta_1=0.9, beta_2=0.95, jit_compile=False
        )
        self._trained = [one for one, _ in parts] or model.trainable_variables
        self._masks = [tf.constant(mask, tf.float32) for _, mask in parts]
        # A weight whose gradient is masked must not decay either.
        kept = [one for one, mask in parts if not mask.all()]
        vectors = [one for one in self._trained if one.shape.rank < 2]
        self._optimizer.exclude_from_weight_decay(var_list=[*vectors, *kept])
        self._optimizer.build(self._trained)
        shape = tf.TensorSpec((None, None), tf.int32)
        self._step = tf.function(self._learn_together)
        self._judge = tf.function(self._judged, input_signature=[shape])
        self.loads = np.zeros((len(model.routers), model.size.experts))  # tokens of each expert

    def train(
        self, tokens: np.ndarray, epochs: int, what: str, snapshots: Snapshots | None = None
    ) -> float:
        """Train for epochs over a token stream, with a learning rate that decays to a tenth.

        An interrupted training resumes at the last step in `snapshots`, with the same result.

        Returns:
            the processor time of all steps, in seconds.
        """
        context = self.model.size.context
        each = steps_of(len(tokens), context, self._rows)
        steps, (first, spent) = each * epochs, self._resumed(snapshots)
        losses, clock = deque[float](maxlen=_TOLD), EpochClock(each)
        begin, start = perf_counter(), process_time() - spent
        with deterministic(), Progress(what, steps) as progress:
            progress.skip(first)
            for done in range(first // each, epochs):
                clock.begin(max(0, first - done * each))
                for place, batch in enumerate(
                    epoch(tokens, context, self._rows, (self._seed, done))
                ):
                    step = done * each + place
                    if step < first:
                        continue
                    losses.append(self.step(batch, self.rate(step, steps)))
                    speed = (step + 1 - first) * self._rows * context / (perf_counter() - begin)
                    progress.step(f"loss {fmean(losses):.3f}, {speed:,.0f} tokens/s")
                    # Machines of a distributed training would not be due at the same step.
                    due = not tf.distribute.has_strategy() and clock.is_due(place + 1)
                    if place + 1 == each or due:
                        self._keep(snapshots, step + 1, process_time() - start)
        return process_time() - start

    def rate(self, step: int, steps: int) -> float:
        """Compute the learning rate of a step: it rises linearly, then falls with a cosine."""
        warm_up = max(1, round(self._warm_up * steps))
        if step < warm_up:
            return self._rate * (step + 1) / warm_up
        share = (step - warm_up) / max(1, steps - warm_up)
        return self._rate * (0.1 + 0.45 * (1 + math.cos(math.pi * share)))

    def step(self, batch: np.ndarray, rate: float) -> float:
        """Run one step with (rows, length + 1) tokens; return its cross-entropy in nats."""
        self._optimizer.learning_rate.assign(rate)
        strategy = tf.distribute.get_strategy()
        parts = np.array_split(batch, strategy.num_replicas_in_sync)
        own = strategy.experimental_distribute_values_from_function(
            lambda replica: tf.constant(parts[replica.replica_id_in_sync_group])
        )
        loss, loads = self._step(own, tf.constant(len(batch), tf.float32))
        self.loads += loads.numpy()
        return float(loss)

    def judge(self, documents: Sequence[Sequence[int]], sizes: Sequence[int]) -> list[DocumentLoss]:
        """Compute each document's loss, in windows of the context that do not overlap.

        Args:
            documents: tokens of each, without `END`.
            sizes: bytes of each.
        """
        context, rows = self.model.size.context, self._rows
        parts: list[tuple[int, np.ndarray]] = [
            (index, window)
            for index, tokens in enumerate(documents)
            for window in windows([END, *tokens, END], context)
        ]
        parts.sort(key=lambda one: len(one[1]))
        nats, counts = np.zeros(len(documents)), np.zeros((2, len(documents)), int)
        for start in range(0, len(parts), rows):
            some = parts[start : start + rows]
            length = max(len(window) for _, window in some)
            batch = np.full((len(some), length), _IGNORED, np.int32)
            for row, (_, window) in enumerate(some):
                batch[row, : len(window)] = window
            losses, right = (one.numpy() for one in self._judge(batch))
            for (index, window), loss, correct in zip(some, losses, right, strict=True):
                nats[index] += loss
                counts[:, index] += len(window) - 1, correct
        return [
            DocumentLoss(float(loss), count, size, correct)
            for loss, count, size, correct in zip(
                nats, counts[0].tolist(), sizes, counts[1].tolist(), strict=True
            )
        ]

    def _learn_together(self, batch: Any, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Run the step on all replicas.

        Args:
            batch: the rows of each replica.
            rows: their number on all replicas, () float32.
        """
        strategy = tf.distribute.get_strategy()
        found = strategy.run(self._learn, args=(batch, rows))
        both: tuple[tf.Tensor, tf.Tensor] = tf.nest.map_structure(
            lambda one: strategy.experimental_local_results(one)[0], found
        )
        return both

    def _learn(self, batch: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Run the step on one replica; its results are those of all."""
        model, variables = self.model, self._trained
        replica = tf.distribute.get_replica_context()
        share = tf.cast(tf.shape(batch)[0], tf.float32) / rows
        with tf.GradientTape() as tape:
            hidden, routings = model.hidden(batch[:, :-1])
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                batch[:, 1:], model.logits(hidden)
            )
            loss = tf.reduce_mean(losses)
            extra = [
                tf.reduce_mean(tf.square(tf.reduce_logsumexp(one.logits, -1))) for one in routings
            ]
            loss, extra = loss * share, [one * share for one in extra]
            total = loss + self._z_loss * tf.add_n(extra) if extra else loss
        # The embedding's gradient is sparse and dense: as dense one the update takes half the time.
        found = tape.gradient(total, variables, unconnected_gradients="zero")
        dense = [tf.convert_to_tensor(one) for one in found]
        if self._masks:
            dense = [one * mask for one, mask in zip(dense, self._masks, strict=True)]
        dense = replica.all_reduce(tf.distribute.ReduceOp.SUM, dense)
        gradients, _ = tf.clip_by_global_norm(dense, _CLIP)
        self._optimizer.apply_gradients(
            zip(gradients, variables, strict=True), skip_gradients_aggregation=True
        )
        loads = []
        for router, routing in zip(model.routers, routings, strict=True):
            count = model.size.experts
            load = tf.cast(
                tf.math.bincount(tf.reshape(routing.picks, (-1,)), minlength=count), tf.float32
            )
            load = replica.all_reduce(tf.distribute.ReduceOp.SUM, load)
            if self._balance_rate:
                router.bias.assign_add(self._balance_rate * tf.sign(tf.reduce_mean(load) - load))
            loads.append(load)
        loss = replica.all_reduce(tf.distribute.ReduceOp.SUM, loss)
        return loss, tf.stack(loads) if loads else tf.zeros((0, model.size.experts))

    def _judged(self, batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Sum the losses of each row, and count its right tokens."""
        inputs, targets = tf.maximum(batch[:, :-1], END), batch[:, 1:]
        hidden, _ = self.model.hidden(inputs)
        logits = self.model.logits(hidden)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(targets, END), logits)
        right = tf.argmax(logits, -1, tf.int32) == targets  # never so of padding
        return (
            tf.reduce_sum(tf.where(targets == _IGNORED, 0.0, losses), -1),
            tf.math.count_nonzero(right, -1),
        )

    def _state(self) -> list[tf.Variable]:
        return [*self.model.variables, *self._optimizer.variables]

    def _keep(self, snapshots: Snapshots | None, step: int, seconds: float) -> None:
        if snapshots is not None:
            arrays = {str(place): one.numpy() for place, one in enumerate(self._state())}
            values = {"step": step, "seconds": seconds}
            snapshots.write(Snapshot(arrays | {"loads": self.loads}, values))

    def _resumed(self, snapshots: Snapshots | None) -> tuple[int, float]:
        """Restore the saved state; return the number of completed steps, and their seconds."""
        found = None if snapshots is None else snapshots.read()
        if found is None:
            return 0, 0.0
        for place, variable in enumerate(self._state()):
            variable.assign(found.arrays[str(place)])
        self.loads = found.arrays["loads"]
        return found.values["step"], found.values["seconds"]
