"""Decoder-only transformer with routed experts, as one Keras model of real sub-models.

Pre-normalized blocks (RMSNorm: Zhang and Sennrich, 2019, https://arxiv.org/abs/1910.07467) with
rotary positions (Su et al., 2021, https://arxiv.org/abs/2104.09864) and grouped-query attention
(Ainslie et al., 2023, https://arxiv.org/abs/2305.13245). The embedding is also the output layer
(Press and Wolf, 2017, https://arxiv.org/abs/1608.05859). Its rows are normalized where they enter
(after Dettmers et al., 2022, https://arxiv.org/abs/2110.02861): small ones would be lost beside
what the first layers add to them, and training would take several times as many tokens.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from .expert_layer import Router, Routing, expert, linear, mixed, route

EPSILON = 1e-6  # of RMSNorm
ROTARY_BASE = 10_000.0
_NEVER = -1e9


@dataclass(frozen=True)
class LanguageSize:
    """Sizes of a network; see `LanguageSettings`. `experts` 1 makes it dense, without routers.

    Attributes:
        normalized: rows of the embedding are divided by their root mean square where they enter;
            False for networks of earlier versions.
        factor: of an expert's output; 1 for networks of earlier versions.
    """

    pieces: int
    units: int
    layers: int
    heads: int
    key_heads: int
    inner: int
    experts: int
    top_k: int
    context: int
    gate: str
    normalized: bool = False
    factor: float = 1.0

    @property
    def width(self) -> int:
        """Width of a head."""
        return self.units // self.heads

    @property
    def macs(self) -> int:
        """Multiply-adds of a token, without attention's own, which grow with its position."""
        keys = 2 * self.key_heads * self.width
        layer = self.units * (2 * self.units + keys + 3 * self.inner * self.top_k)
        router = self.units * self.experts if self.experts > 1 else 0
        return self.layers * (layer + router) + self.units * self.pieces


@tf_keras.saving.register_keras_serializable("edge_experts")
class LanguageModel(tf_keras.Model):
    """A language model: tokens (sequences, length) int32 to logits (sequences, length, pieces).

    Attributes:
        experts: experts of all layers, those of the first layer first.
        routers: router of each layer; empty for a dense network.
    """

    combine = "top"

    def __init__(self, size: LanguageSize | dict[str, Any], **kwargs: Any):
        super().__init__(**kwargs)
        self.size = size if isinstance(size, LanguageSize) else LanguageSize(**size)
        size = self.size
        blocks = range(size.layers)
        table = (size.pieces, size.units)
        small = tf_keras.initializers.RandomNormal(stddev=0.02)  # so are the first logits
        self.embedding = self.add_weight("embedding", table, initializer=small)
        self.attentions = [CausalAttention(size, name=f"attention_{one}") for one in blocks]
        self.norms = [RMSNorm(size.units, name=f"norm_{one}") for one in blocks]
        routed = blocks if size.experts > 1 else ()
        self.routers = [Router(size.units, size.experts, name=f"router_{one}") for one in routed]
        self.experts = [
            expert(size.units, size.inner, f"expert_{layer}_{one}", size.factor)
            for layer in range(size.layers)
            for one in range(size.experts)
        ]
        self.last_norm = RMSNorm(size.units, name="last_norm")
        self(tf.zeros((1, 2), tf.int32))  # creates all weights

    @property
    def top_k(self) -> int:
        return self.size.top_k

    def of_layer(self, layer: int) -> list[tf_keras.Model]:
        """Return the experts of a layer."""
        return self.experts[layer * self.size.experts : (layer + 1) * self.size.experts]

    def call(self, tokens: tf.Tensor, training: bool = False) -> tf.Tensor:
        hidden, _ = self.hidden(tokens)
        return self.logits(hidden)

    def hidden(self, tokens: tf.Tensor) -> tuple[tf.Tensor, list[Routing]]:
        """Return the last hidden states, (sequences, length, units), and each layer's routing."""
        x, routings = tf.cast(self.embedded(tokens), self.compute_dtype), []
        for layer, attention in enumerate(self.attentions):
            x += attention(x)
            rows = tf.reshape(self.norms[layer](x), (-1, self.size.units))
            if self.routers:
                routing = route(self.routers[layer], rows, self.size.top_k, self.size.gate)
                routings.append(routing)
                made = mixed(routing, self.of_layer(layer), rows)
            else:
                made = self.experts[layer](rows)
            x += tf.reshape(made, tf.shape(x))
        return self.last_norm(x), routings

    def embedded(self, tokens: tf.Tensor) -> tf.Tensor:
        """Return what enters the first layer, float32 (..., units)."""
        rows = tf.gather(self.embedding, tokens)
        return divided(rows) if self.size.normalized else rows

    def logits(self, hidden: tf.Tensor) -> tf.Tensor:
        """Return float32 logits of hidden states (..., units)."""
        table = tf.cast(self.embedding, hidden.dtype)
        rows = tf.reshape(hidden, (-1, self.size.units))
        made = tf.cast(tf.matmul(rows, table, transpose_b=True), tf.float32)
        return tf.reshape(made, (*tf.unstack(tf.shape(hidden)[:-1]), self.size.pieces))

    def get_config(self) -> dict[str, Any]:
        return {"size": asdict(self.size), "name": self.name}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Do nothing: the networks are built already."""


class RMSNorm(tf_keras.layers.Layer):
    """Division by the root of the mean square, times a learned scale."""

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32", "autocast": False})
        self.scale = self.add_weight("scale", (units,), initializer="ones")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.cast(divided(tf.cast(x, tf.float32)) * self.scale, x.dtype)


def divided(rows: tf.Tensor) -> tf.Tensor:
    """Divide rows by their root mean square."""
    mean = tf.reduce_mean(tf.square(rows), -1, keepdims=True)
    return rows * tf.math.rsqrt(mean + EPSILON)


class CausalAttention(tf_keras.layers.Layer):
    """Norm and causal self-attention with rotary positions; its output is added to its input."""

    def __init__(self, size: LanguageSize, **kwargs: Any):
        super().__init__(**kwargs)
        self._size = size
        self.norm = RMSNorm(size.units, name="norm")
        keys = size.key_heads * size.width
        self.query, self.out = linear(size.units, "query"), linear(size.units, "out")
        self.key, self.value = linear(keys, "key"), linear(keys, "value")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        size, length = self._size, tf.shape(x)[1]
        x = self.norm(x)
        query = rotated(self._heads(self.query(x), size.heads))
        key = rotated(self._heads(self.key(x), size.key_heads))
        value = self._heads(self.value(x), size.key_heads)
        # Each head of keys serves a group of query heads.
        grouped = (-1, size.key_heads, size.heads // size.key_heads, length, size.width)
        scores = tf.einsum("bkglw,bkmw->bkglm", tf.reshape(query, grouped), key)
        later = tf.range(length)[:, None] < tf.range(length)[None]
        scores = tf.cast(scores, tf.float32) / size.width**0.5
        shares = tf.cast(tf.nn.softmax(tf.where(later, _NEVER, scores)), value.dtype)
        mixed = tf.einsum("bkglm,bkmw->blkgw", shares, value)
        return self.out(tf.reshape(mixed, (-1, length, size.units)))

    def _heads(self, x: tf.Tensor, heads: int) -> tf.Tensor:
        """Split (sequences, length, heads * width) to (sequences, heads, length, width)."""
        shape = (-1, tf.shape(x)[1], heads, self._size.width)
        return tf.transpose(tf.reshape(x, shape), (0, 2, 1, 3))


def angles(positions: int, width: int) -> np.ndarray:
    """Rotary angles, (positions, width / 2) float64."""
    rates = ROTARY_BASE ** (-np.arange(0, width, 2) / width)
    return np.arange(positions)[:, None] * rates


def rotated(x: tf.Tensor) -> tf.Tensor:
    """Rotate the halves of each head by its position; x is (sequences, heads, length, width)."""
    width = x.shape[-1]
    rates = tf.constant(ROTARY_BASE ** (-np.arange(0, width, 2) / width), tf.float32)
    turns = tf.cast(tf.range(tf.shape(x)[2]), tf.float32)[:, None] * rates
    cosine, sine = tf.cast(tf.cos(turns), x.dtype), tf.cast(tf.sin(turns), x.dtype)
    left, right = tf.split(x, 2, -1)
    return tf.concat([left * cosine - right * sine, right * cosine + left * sine], -1)
