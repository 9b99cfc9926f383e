"""Router of translators: selects one of the experts of a language by the tokens of a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tf_keras

from ...features.pieces import HIDDEN, PADDING
from ...format.expert_names import language
from .. import loop
from ..batches import draw
from ..checkpoints import Snapshots
from ..layers import WeightedBag
from ..report.reporting import Report
from .network import Size
from .sentence_batches import Pair

_UNITS = 16
_DROPOUT = 0.15  # of tokens
_RATE, _BATCH = 3e-3, 128
_NEVER = -1e9  # added to the logits of other languages' experts


def build(size: Size, experts: int) -> tf_keras.Model:
    """Mean of the embedded tokens of a sentence, and a layer, with one logit for each expert."""
    source = tf_keras.Input((size.source_length,), dtype="int32", name="source")
    mask = tf_keras.Input((1, 1, size.source_length), name="mask")
    # 1/n for the n tokens, 0 elsewhere: int8 has a softmax, but no division.
    shares = tf_keras.layers.Softmax()(tf_keras.layers.Flatten()(mask))
    mean = WeightedBag(size.pieces, _UNITS, dropout=_DROPOUT)([source, shares])
    logits = tf_keras.layers.Dense(experts)(tf_keras.layers.Activation("relu")(mean))
    return tf_keras.Model({"source": source, "mask": mask}, logits, name="router")


def train(
    router: tf_keras.Model,
    pairs: Sequence[Sequence[Pair]],
    names: Sequence[str],
    epochs: int,
    seed: int,
    snapshots: Snapshots | None = None,
) -> None:
    """Train the router to choose the expert of each sentence.

    The cross-entropy is over the experts of the sentence's language alone.

    Args:
        pairs: pairs of sentences, a sequence for each expert.
        names: names of the experts, such as "de/help".
        seed: seed of the order of the sentences.
        snapshots: storage of the state, from which an interrupted training resumes.
    """
    hidden = tf.constant(_other_languages(names))

    def loss(experts: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        experts = tf.cast(tf.reshape(experts, [-1]), tf.int32)
        among = logits + tf.gather(hidden, experts)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(experts, among)

    inputs, experts = _arrays(router, pairs)
    drawn = draw(inputs, experts, min(_BATCH, len(experts)), epochs, seed=seed)
    rate = tf_keras.optimizers.schedules.CosineDecay(_RATE, epochs * drawn.steps)
    student = tf_keras.Model(router.input, router.output)  # the router is saved without optimizer
    student.compile(tf_keras.optimizers.Adam(rate), loss)
    loop.fit(student, drawn, callbacks=[Report("router", epochs)], snapshots=snapshots)


def accuracy(
    router: tf_keras.Model, pairs: Sequence[Sequence[Pair]], names: Sequence[str]
) -> float:
    """Share of sentences that are routed to their own expert, among those of their language."""
    inputs, experts = _arrays(router, pairs)
    logits = router.predict(inputs, batch_size=1024, verbose=0) + _other_languages(names)[experts]
    return float(np.mean(logits.argmax(axis=1) == experts))


def _arrays(
    router: tf_keras.Model, pairs: Sequence[Sequence[Pair]]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Inputs of the router, (examples, ...), and the expert of each example, (examples,)."""
    length = router.input["source"].shape[1]
    experts = np.repeat(np.arange(len(pairs)), [len(own) for own in pairs])
    source = np.full((len(experts), length), PADDING, np.int32)
    for row, (pieces, _) in enumerate(pair for own in pairs for pair in own):
        source[row, : len(pieces)] = pieces
    mask = np.where(source == PADDING, np.float32(HIDDEN), np.float32(0))[:, None, None]
    return {"source": source, "mask": mask}, experts


def _other_languages(names: Sequence[str]) -> np.ndarray:
    """Mask added to the logits of the sentences of each expert, (experts, experts) float32."""
    own = np.array([language(name) for name in names])
    return np.where(own[:, None] == own, np.float32(0), np.float32(_NEVER))
