"""Training of a translator: cross-entropy with smoothed labels, and a learning rate decay to 0."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from statistics import fmean

import numpy as np
import tensorflow as tf
import tf_keras

from ...features.pieces import HIDDEN, PADDING
from ...progress import Progress
from ..checkpoints import EpochClock, Snapshot, Snapshots
from ..randomness import by_step, deterministic
from .cross_entropy import Candidates, candidates, cross_entropy
from .network import Translator
from .sentence_batches import Pair, batches_of, epoch

_WARM_UP = 400  # steps with a rising learning rate; a tenth of a short training
_TOLD = 200  # number of steps of the reported mean loss
_SHAPES = [tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, None), tf.int32)]
_AMONG = Candidates(*(tf.TensorSpec((None,), kind) for kind in (tf.int32, tf.float32, tf.int32)))


class TranslatorLearner:
    """Trains one translator, whose weights may be replaced between two trainings.

    Args:
        pieces: largest number of tokens in a batch, padding included.
        rate: highest learning rate.
        drawn: number of sampled tokens, beside those of a batch, in its loss.
    """

    def __init__(self, network: Translator, *, pieces: int, rate: float, drawn: int, seed: int):
        self.network, self._pieces, self._rate, self._drawn = network, pieces, rate, drawn
        self._seed, self._random = seed, np.random.default_rng(seed)
        self._optimizer = tf_keras.optimizers.legacy.Adam(rate, beta_2=0.98, epsilon=1e-9)
        self._step = tf.function(self._learn, input_signature=[*_SHAPES, _AMONG])
        self._judge = tf.function(self._judged, input_signature=_SHAPES)

    def train(
        self,
        pairs: Sequence[Pair],
        epochs: int,
        what: str,
        rate: float = 1.0,
        snapshots: Snapshots | None = None,
    ) -> None:
        """Train for `epochs` with a reset optimizer, at `rate` times the learner's rate.

        An interrupted training resumes at the last step in `snapshots`.
        """
        for moment in self._moments():
            moment.assign(tf.zeros_like(moment))
        each = batches_of(pairs, self._pieces)
        steps, first = each * epochs, self._resumed(snapshots)
        warm_up = min(_WARM_UP, max(1, steps // 10))
        losses, clock = deque[float](maxlen=_TOLD), EpochClock(each)
        with deterministic(), Progress(what, steps) as progress:  # by step: an epoch may be long
            progress.skip(first)
            for done in range(first // each, epochs):
                clock.begin(max(0, first - done * each))
                random = np.random.default_rng((self._seed, done))
                for place, batch in enumerate(epoch(pairs, self._pieces, random)):
                    step = done * each + place
                    if step < first:
                        continue
                    self._random = np.random.default_rng((self._seed, done, place))
                    falling = 0.5 * (1 + math.cos(math.pi * step / steps))
                    now = self._rate * rate * min((step + 1) / warm_up, falling)
                    losses.append(self.step(*batch, now))
                    progress.step(f"epoch {done + 1} of {epochs}, loss {fmean(losses):.3f}")
                    if place + 1 == each or clock.is_due(place + 1):
                        self._keep(snapshots, step + 1)

    def _moments(self) -> list[tf.Variable]:
        """Step and moments of the optimizer."""
        # Keras creates them in the first step; there is no public way to create them before.
        self._optimizer._create_all_weights(self.network.trainable_variables)
        variables: list[tf.Variable] = self._optimizer.variables()
        return variables

    def _keep(self, snapshots: Snapshots | None, step: int) -> None:
        if snapshots is not None:
            state = enumerate([*self.network.variables, *self._moments()])
            arrays = {str(place): variable.numpy() for place, variable in state}
            snapshots.write(Snapshot(arrays, {"step": step}))

    def _resumed(self, snapshots: Snapshots | None) -> int:
        """Restore the saved state; returns the number of completed steps."""
        found = None if snapshots is None else snapshots.read()
        if found is None:
            return 0
        for place, variable in enumerate([*self.network.variables, *self._moments()]):
            variable.assign(found.arrays[str(place)])
        step: int = found.values["step"]
        return step

    def step(self, source: np.ndarray, target: np.ndarray, rate: float) -> float:
        """Run one step with a batch of `batches.epoch`; returns its cross-entropy in nats."""
        self._optimizer.learning_rate = rate
        wanted = target[:, 1:].ravel()
        among = candidates(wanted, self.network.size.pieces, self._drawn, self._random)
        return float(self._step(source, target, among))

    def judge(self, pairs: Sequence[Pair]) -> dict[str, float]:
        """Cross-entropy of a token, in nats, and accuracy of the most likely token.

        Computed with teacher forcing: each token follows the correct ones.
        """
        sums = np.zeros(3)
        for source, target in epoch(pairs, self._pieces, np.random.default_rng(0)):
            sums += [float(one) for one in self._judge(source, target)]
        return {"loss": sums[0] / sums[2], "accuracy": sums[1] / sums[2]}

    def _learn(self, source: tf.Tensor, target: tf.Tensor, among: Candidates) -> tf.Tensor:
        variables = self.network.trainable_variables
        numbered = by_step(self._optimizer.iterations, self._seed)
        with numbered, tf.GradientTape() as tape:
            hidden = self._hidden(source, target, training=True)
            hidden = tf.reshape(hidden, (-1, self.network.size.units))
            weights = tf.cast(tf.reshape(target[:, 1:], (-1,)) != PADDING, tf.float32)
            table = tf.cast(self.network.table, hidden.dtype)
            losses = cross_entropy(hidden, table, among)
            loss = tf.reduce_sum(losses * weights) / tf.reduce_sum(weights)
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), 1.0)
        self._optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    def _judged(self, source: tf.Tensor, target: tf.Tensor) -> list[tf.Tensor]:
        logits = self.network.logits(self._hidden(source, target, training=False))
        logits, wanted = tf.cast(logits, tf.float32), target[:, 1:]
        weights = tf.cast(wanted != PADDING, tf.float32)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, logits)
        right = tf.equal(tf.argmax(logits, -1, tf.int32), wanted)
        return [
            tf.reduce_sum(losses * weights),
            tf.reduce_sum(tf.cast(right, tf.float32) * weights),
            tf.reduce_sum(weights),
        ]

    def _hidden(self, source: tf.Tensor, target: tf.Tensor, training: bool) -> tf.Tensor:
        mask = tf.where(source == PADDING, HIDDEN, 0.0)[:, None, None]
        inputs = {"source": source, "mask": mask, "target": target[:, :-1]}
        return self.network.hidden(inputs, training=training)
