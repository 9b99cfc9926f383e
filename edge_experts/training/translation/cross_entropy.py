"""Cross-entropy of the next token, over a part of the vocabulary.

Over the whole vocabulary it takes nearly half of a training's time (`speed.py`). The target tokens
of a batch and sampled others, each of which represents several, may be enough (Jean et al., 2015,
https://arxiv.org/abs/1412.2007). TensorFlow's own cross-entropy is slower, and stores the logits
several times.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

_SMOOTHING = 0.1  # of the labels (Szegedy et al., 2016, https://arxiv.org/abs/1512.00567)
_LEAST = 1e-9  # least probability whose logarithm is computed


class Candidates(NamedTuple):
    """Tokens in the softmax.

    Attributes:
        pieces: tokens, (candidates,) int32.
        weights: number of tokens of the vocabulary that each represents, (candidates,) float32.
        wanted: index of each row's target among them, (rows,) int32.
    """

    pieces: np.ndarray | tf.Tensor
    weights: np.ndarray | tf.Tensor
    wanted: np.ndarray | tf.Tensor


def candidates(
    wanted: np.ndarray, pieces: int, drawn: int, random: np.random.Generator
) -> Candidates:
    """Target tokens (rows,), and at most `drawn` others; taking all needs no sampling."""
    if drawn >= pieces:
        every = np.arange(pieces, dtype=np.int32)
        return Candidates(every, np.ones(pieces, np.float32), wanted.astype(np.int32))
    own, places = np.unique(wanted, return_inverse=True)
    others = np.setdiff1d(np.arange(pieces), own, assume_unique=True)
    some = random.choice(others, min(drawn, len(others)), replace=False, shuffle=False)
    weights = np.ones(len(own) + len(some), np.float32)
    weights[len(own) :] = len(others) / max(1, len(some))
    both = np.concatenate([own, some]).astype(np.int32)
    return Candidates(both, weights, places.reshape(-1).astype(np.int32))


def cross_entropy(hidden: tf.Tensor, table: tf.Tensor, among: Candidates) -> tf.Tensor:
    """Cross-entropy of each target token, in nats; its gradient is that of smoothed labels.

    Args:
        hidden: (rows, units).
        table: (pieces, units), whose products with `hidden` are the logits.
    """
    ids, weights, wanted = among

    @tf.custom_gradient
    def computed(hidden: tf.Tensor, table: tf.Tensor) -> tuple[tf.Tensor, object]:
        pieces, weight = tf.shape(table)[0], tf.cast(weights, hidden.dtype)
        table = tf.gather(table, ids)
        logits = tf.matmul(hidden, table, transpose_b=True)
        probabilities = tf.nn.softmax(logits + tf.math.log(weight))
        own = tf.cast(tf.gather(probabilities, wanted, batch_dims=1), tf.float32)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            """Gradient of a logit: its probability minus its target.

            Scales of rows are multiplied into `hidden`, much smaller than the probabilities.
            """
            scale = tf.cast(upstream, hidden.dtype)[:, None]
            sharp = 1.0 - _SMOOTHING
            even = weight[:, None] * tf.cast(_SMOOTHING / tf.cast(pieces, tf.float32), hidden.dtype)
            scaled = scale * hidden
            for_hidden = scale * (
                tf.matmul(probabilities, table)
                - sharp * tf.gather(table, wanted)
                - tf.reduce_sum(even * table, 0)
            )
            for_table = (
                tf.matmul(probabilities, scaled, transpose_a=True)
                - sharp * tf.math.unsorted_segment_sum(scaled, wanted, tf.shape(ids)[0])
                - even * tf.reduce_sum(scaled, 0)
            )
            return for_hidden, tf.math.unsorted_segment_sum(for_table, ids, pieces)

        return -tf.math.log(tf.maximum(own, _LEAST)), gradient

    return computed(hidden, table)
