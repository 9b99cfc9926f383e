"""A dense language model as one TFLite file, which computes the next token in one call.

This is how a model is deployed without experts: the least that a token can cost with these kernels,
to compare the runtime's many files with. Keys and values of earlier tokens are inputs, which the
caller keeps, with one (key_heads, positions, width) for each layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_experts import training  # noqa: F401  sets up Keras before TensorFlow is imported

import tensorflow as tf  # isort: skip

from edge_experts.training.language_model.language_network import (  # isort: skip
    CausalAttention,
    LanguageModel,
    angles,
)

_NEVER = -1e9


class _Step:
    """One token after those whose keys and values are given."""

    def __init__(self, model: LanguageModel, positions: int):
        self._model, self._positions = model, positions
        # Computed from the position: tables would be quantized.
        self._rates = tf.constant(angles(2, model.size.width)[1], tf.float32)
        self._kernels = [_projection(one) for one in model.attentions]  # one product for three

    def next(self, token: tf.Tensor, position: tf.Tensor, **before: tf.Tensor) -> dict[str, Any]:
        model, own = self._model, []
        x = model.embedded(token)
        turns = tf.cast(position, tf.float32) * self._rates
        cosine, sine = tf.cos(turns), tf.sin(turns)
        mask = tf.where(tf.range(self._positions) < position, 0.0, _NEVER)
        for layer, attention in enumerate(model.attentions):
            query, key, value = self._heads(tf.matmul(attention.norm(x), self._kernels[layer]))
            query, key = _turned(query, cosine, sine), _turned(key, cosine, sine)
            own.append((key, value))
            grouped = tf.reshape(query, (len(key), -1, model.size.width))
            grouped *= model.size.width**-0.5
            earlier = tf.matmul(grouped, before[f"keys_{layer}"], transpose_b=True) + mask
            itself = tf.reduce_sum(grouped * key[:, None], -1, keepdims=True)
            shares = tf.nn.softmax(tf.concat([earlier, itself], -1))
            mixed = tf.matmul(shares[..., :-1], before[f"values_{layer}"])
            mixed += shares[..., -1:] * value[:, None]
            x += attention.out(tf.reshape(mixed, (1, model.size.units)))
            x += model.experts[layer](model.norms[layer](x))
        keys, values = zip(*own, strict=True)
        return {
            "logits": model.logits(model.last_norm(x)),
            "keys": tf.stack(keys),
            "values": tf.stack(values),
        }

    def _heads(self, row: tf.Tensor) -> list[tf.Tensor]:
        """Split a row into the heads of query, key and value, (heads, width) each."""
        size = self._model.size
        heads = tf.reshape(row, (-1, size.width))
        made: list[tf.Tensor] = tf.split(heads, [size.heads, size.key_heads, size.key_heads])
        return made


def step(model: LanguageModel, positions: int) -> Any:
    """Trace a function of one token.

    Its inputs are `token` and `position`, (1,) int32, and `keys_N` and `values_N` of each layer;
    its outputs `logits`, (1, pieces), and the token's own `keys` and `values`, (layers, key_heads,
    width).

    Args:
        positions: tokens of a text, at most.

    Raises:
        ValueError: the model has routed experts.
    """
    if model.routers:
        raise ValueError("a model with routed experts is not one file")
    size = model.size
    shape = (size.key_heads, positions, size.width)
    before = {
        name: tf.TensorSpec(shape, tf.float32, name)
        for layer in range(size.layers)
        for name in (f"keys_{layer}", f"values_{layer}")
    }
    one = {name: tf.TensorSpec((1,), tf.int32, name) for name in ("token", "position")}
    return tf.function(_Step(model, positions).next).get_concrete_function(**one, **before)


def converted(model: LanguageModel, positions: int) -> bytes:
    """Convert with weights of int8, a scale for each channel, as `convert` does for LiteRT.

    Args, raises: see `step`.
    """
    function, variables = step(model, positions), tf.Module()
    variables.read = list(function.variables)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], variables)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    content: bytes = converter.convert()
    return content


def _projection(attention: CausalAttention) -> tf.Tensor:
    layers = attention.query, attention.key, attention.value
    return tf.constant(np.concatenate([one.kernel.numpy() for one in layers], axis=1))


def _turned(heads: tf.Tensor, cosine: tf.Tensor, sine: tf.Tensor) -> tf.Tensor:
    """Rotate the halves of each head, (heads, width)."""
    left, right = tf.split(heads, 2, -1)
    return tf.concat([left * cosine - right * sine, right * cosine + left * sine], -1)
