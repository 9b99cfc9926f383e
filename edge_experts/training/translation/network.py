"""A sequence-to-sequence network that computes the same in training and on a device, in int8.

A transformer (Vaswani et al., 2017, https://arxiv.org/abs/1706.03762) with a deep encoder and a
shallow decoder (Kasai et al., 2021, https://arxiv.org/abs/2006.10369), since the decoder runs once
for each token. In place of normalization it uses the hyperbolic tangent of x times a learned number
(Zhu et al., 2025, https://arxiv.org/abs/2503.10622): a mean of squares in int8 loses its precision,
while a tangent has the same range for any input.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

_NEVER = -1e9  # masks later tokens, in training only


@dataclass(frozen=True)
class Size:
    """Size of a network; lengths in tokens, with those that begin or end a sentence."""

    pieces: int
    units: int = 128
    heads: int = 4
    inner: int = 512  # units between the two layers of a block
    encoder_blocks: int = 2
    decoder_blocks: int = 1
    source_length: int = 64
    target_length: int = 64


@tf_keras.saving.register_keras_serializable("edge_experts")
class Tangent(tf_keras.layers.Layer):
    """tanh(a x) with a learned scalar a; the next layer has scales and biases."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.slope = self.add_weight(
            name="slope", shape=(), initializer=tf_keras.initializers.Constant(0.5)
        )

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return _tangent(x, tf.cast(self.slope, x.dtype))


@tf.custom_gradient
def _tangent(x: tf.Tensor, slope: tf.Tensor) -> tuple[tf.Tensor, object]:
    """tanh(slope x), whose slope has a gradient summed in float32, whatever the type of x."""
    y = tf.tanh(slope * x)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        inner = tf.raw_ops.TanhGrad(y=y, dy=upstream)
        total = tf.reduce_sum(tf.cast(inner, tf.float32) * tf.cast(x, tf.float32))
        return slope * inner, tf.cast(total, x.dtype)

    return y, gradient


class Dropout(tf_keras.layers.Layer):
    """Dropout of the same units in a whole sentence (Gal and Ghahramani, 2016, arXiv 1512.05287).

    Keras's own layer can do this too, but takes several times as long.
    """

    def __init__(self, share: float, **kwargs: Any):
        super().__init__(**kwargs)
        self._kept = 1.0 - share

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training or self._kept == 1.0:
            return x
        drawn = tf.random.uniform((tf.shape(x)[0], 1, x.shape[-1]))
        return x * tf.cast(tf.where(drawn < self._kept, 1 / self._kept, 0.0), x.dtype)


class Attention(tf_keras.layers.Layer):
    """Multi-head attention softmax(q k) v, with given keys and values."""

    def __init__(self, size: Size, **kwargs: Any):
        super().__init__(**kwargs)
        self._heads, self._width = size.heads, size.units // size.heads
        dense = tf_keras.layers.Dense
        self._query, self._key, self._value = (
            dense(size.units, use_bias=False, name=name) for name in ("query", "key", "value")
        )
        self._out = dense(size.units, name="out")

    def memory(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Keys and values from (batch, length, units): (batch, heads, length, width) each."""
        return self._split(self._key(x)), self._split(self._value(x))

    def call(self, x: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        query = self._split(self._query(x) * self._width**-0.5)
        weights = tf.nn.softmax(tf.matmul(query, keys, transpose_b=True) + bias)
        mixed = tf.transpose(tf.matmul(weights, values), (0, 2, 1, 3))
        shape = (-1, tf.shape(x)[1] if x.shape[1] is None else x.shape[1])
        return self._out(tf.reshape(mixed, (*shape, self._heads * self._width)))

    def _split(self, x: tf.Tensor) -> tf.Tensor:
        length = tf.shape(x)[1] if x.shape[1] is None else x.shape[1]
        return tf.transpose(tf.reshape(x, (-1, length, self._heads, self._width)), (0, 2, 1, 3))


class Block(tf_keras.layers.Layer):  # Keras names its weights in model.keras by the class
    """Self-attention, attention to the source in a decoder, and two layers."""

    def __init__(self, size: Size, dropout: float, *, crosses: bool, **kwargs: Any):
        super().__init__(**kwargs)
        self._norms = [Tangent(name=f"norm_{index}") for index in range(3 if crosses else 2)]
        self.own = Attention(size, name="own")
        self.source = Attention(size, name="source") if crosses else None
        self._inner = tf_keras.layers.Dense(size.inner, activation="relu", name="inner")
        self._outer = tf_keras.layers.Dense(size.units, name="outer")
        self._drop = Dropout(dropout)

    def source_memory(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Keys and values of the encoded source, the first parts of `source` in `call`."""
        assert self.source is not None
        return self.source.memory(x)

    def call(
        self,
        x: tf.Tensor,
        bias: tf.Tensor,
        past: tuple[tf.Tensor, tf.Tensor] | None = None,
        source: tuple[tf.Tensor, tf.Tensor, tf.Tensor] | None = None,
        training: bool = False,
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        """Output of the block, and the keys and values of its own sentence.

        Args:
            x: (batch, length, units).
            bias: added to the scores of its own sentence, `past` first.
            past: keys and values of the tokens before `x`.
            source: keys, values and bias of the source.
        """
        normed = self._norms[0](x)
        made = self.own.memory(normed)
        keys, values = made
        if past is not None:
            keys, values = (tf.concat(pair, axis=2) for pair in zip(past, made, strict=True))
        x = x + self._drop(self.own(normed, keys, values, bias), training=training)
        if source is not None:
            assert self.source is not None
            x = x + self._drop(self.source(self._norms[1](x), *source), training=training)
        inner = self._inner(self._norms[-1](x))
        return x + self._drop(self._outer(inner), training=training), made


class Translator(tf_keras.Model):
    """From source tokens and previous tokens to the logits of the next token."""

    def __init__(self, size: Size | dict[str, Any], dropout: float = 0.1, **kwargs: Any):
        super().__init__(**kwargs)
        self.size = size = size if isinstance(size, Size) else Size(**size)
        self.dropout = dropout
        self.table = self.add_weight(
            name="table",
            shape=(size.pieces, size.units),
            initializer=tf_keras.initializers.RandomNormal(stddev=size.units**-0.5),
        )
        self.encoder = [
            Block(size, dropout, crosses=False, name=f"encoder_{index}")
            for index in range(size.encoder_blocks)
        ]
        self.decoder = [
            Block(size, dropout, crosses=True, name=f"decoder_{index}")
            for index in range(size.decoder_blocks)
        ]
        self._source_norm, self._target_norm = Tangent(name="source"), Tangent(name="target")
        self._drop = Dropout(dropout)
        longest = max(size.source_length, size.target_length)
        self._positions = tf.constant(_waves(longest, size.units))

    def get_config(self) -> dict[str, Any]:
        return {"size": asdict(self.size), "dropout": self.dropout, "name": self.name}

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Logits (batch, length, pieces) of the token after each one of `target`.

        Args:
            inputs: `source` (batch, length) int32, `mask` (batch, 1, 1, length) float32, 0 or
                features.pieces.HIDDEN, and `target` (batch, length) int32.
        """
        return self.logits(self.hidden(inputs, training=training))

    def hidden(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Hidden states of the logits, (batch, length, units)."""
        mask = tf.cast(inputs["mask"], self.compute_dtype)
        memory = self.memory(inputs["source"], mask, training=training)
        target = inputs["target"]
        length = tf.shape(target)[1] if target.shape[1] is None else target.shape[1]
        later = (1 - tf.linalg.band_part(tf.ones((length, length)), -1, 0)) * _NEVER
        later = tf.cast(later, self.compute_dtype)
        x = self._drop(self._embed(target, self._positions[:length]), training=training)
        for block, (keys, values) in zip(self.decoder, memory, strict=True):
            x, _ = block(x, later, None, (keys, values, mask), training=training)
        return self._target_norm(x)

    def logits(self, hidden: tf.Tensor) -> tf.Tensor:
        return tf.matmul(hidden, tf.cast(self.table, hidden.dtype), transpose_b=True)

    def memory(
        self, source: tf.Tensor, mask: tf.Tensor, training: bool = False
    ) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """Keys and values of the source for each block of the decoder."""
        length = tf.shape(source)[1] if source.shape[1] is None else source.shape[1]
        x = self._drop(self._embed(source, self._positions[:length]), training=training)
        for block in self.encoder:
            x, _ = block(x, mask, training=training)
        x = self._source_norm(x)
        return [block.source_memory(x) for block in self.decoder]

    def step(
        self,
        piece: tf.Tensor,
        position: tf.Tensor,
        past: tuple[tf.Tensor, tf.Tensor],
        past_mask: tf.Tensor,
        memory: tuple[tf.Tensor, tf.Tensor],
        mask: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """One step of decoding, for `beams` beams of one source.

        Args:
            piece: the last token of each beam, (beams, 1) int32.
            position: its position, (1,) int32.
            past: keys and values of the tokens before it, (beams, blocks * heads, length, width).
            past_mask: 0 for existing tokens, HIDDEN elsewhere; (1, 1, 1, length).
            memory: keys and values of the source, (1 or beams, blocks * heads, length, width).
            mask: mask of the source, (1, 1, 1, length).

        Returns:
            logits (beams, pieces) of the next token; keys and values of this one, (beams,
            blocks * heads, 1, width).
        """
        heads = self.size.heads
        x = self._embed(piece, tf.gather(self._positions, position))
        bias = tf.concat([past_mask, tf.zeros((1, 1, 1, 1))], axis=3)
        made = []
        for index, block in enumerate(self.decoder):
            own = slice(index * heads, (index + 1) * heads)
            keys, values = (one[:, own] for one in past)
            source = (*(one[:, own] for one in memory), mask)
            x, new = block(x, bias, (keys, values), source)
            made.append(new)
        keys, values = (tf.concat(list(parts), axis=1) for parts in zip(*made, strict=True))
        return {"logits": self.logits(self._target_norm(x))[:, 0], "keys": keys, "values": values}

    def _embed(self, pieces: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        embedded = tf.cast(tf.gather(self.table, pieces), self.compute_dtype)
        return embedded * self.size.units**0.5 + tf.cast(positions, self.compute_dtype)


def _waves(length: int, units: int) -> np.ndarray:
    """Sines and cosines of a position, (length, units) float32 (Vaswani et al., 2017)."""
    angles = np.arange(length)[:, None] / 10000 ** (np.arange(units // 2) / (units / 2))
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
