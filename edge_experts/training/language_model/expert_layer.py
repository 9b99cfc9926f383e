"""Feed-forward layer of routed experts, of which each token uses the best few.

Routing is dropless: an expert takes all tokens that are routed to it. The experts are balanced by
biases that only the selection sees (Wang et al., 2024, https://arxiv.org/abs/2408.15664), and the
routers' logits are kept small (Zoph et al., 2022, https://arxiv.org/abs/2202.08906). Experts are
SwiGLU networks (Shazeer, 2020, https://arxiv.org/abs/2002.05202).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras


class Routing(NamedTuple):
    """Routing of tokens in one layer.

    Attributes:
        picks: experts of each token, the best first, (tokens, top_k) int32.
        weights: their weights, (tokens, top_k) float32.
        logits: (tokens, experts) float32.
    """

    picks: tf.Tensor
    weights: tf.Tensor
    logits: tf.Tensor


def expert(units: int, inner: int, name: str) -> tf_keras.Model:
    """Build one expert: (rows, units) to (rows, units)."""
    x = tf_keras.Input((units,), name="x")
    start = tf_keras.initializers.RandomNormal(stddev=0.02)

    def dense(size: int, named: str) -> tf_keras.layers.Dense:
        return tf_keras.layers.Dense(size, use_bias=False, kernel_initializer=start, name=named)

    gated = tf_keras.layers.Activation("swish", name="swish")(dense(inner, "gate")(x))
    hidden = tf_keras.layers.Multiply(name="gated")([gated, dense(inner, "up")(x)])
    return tf_keras.Model(x, dense(units, "down")(hidden), name=name)


class Router(tf_keras.layers.Layer):
    """Logits of the experts, and biases that only the selection sees.

    Attributes:
        kernel: (units, experts).
        bias: (experts,), not trained by gradients.
    """

    def __init__(self, units: int, experts: int, **kwargs: Any):
        super().__init__(**kwargs)
        start = tf_keras.initializers.RandomNormal(stddev=0.02)
        self.kernel = self.add_weight("kernel", (units, experts), tf.float32, start)
        self.bias = self.add_weight("bias", (experts,), tf.float32, "zeros", trainable=False)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.matmul(tf.cast(x, tf.float32), self.kernel)


def route(router: Router, x: tf.Tensor, top_k: int, gate: str) -> Routing:
    """Route tokens (tokens, units).

    The weights of several experts are normalized to a sum of 1. A single expert's weight is its
    probability as it is: normalized it would be 1, without a gradient for the router.
    """
    logits = router(x)
    scores = tf.sigmoid(logits) if gate == "sigmoid" else tf.nn.softmax(logits)
    picks = tf.math.top_k(scores + router.bias, top_k).indices
    weights = tf.gather(scores, picks, batch_dims=1)
    if top_k > 1:
        weights /= tf.reduce_sum(weights, -1, keepdims=True)
    return Routing(picks, weights, logits)


def mixed(routing: Routing, experts: list[tf_keras.Model], x: tf.Tensor) -> tf.Tensor:
    """Return the weighted outputs of the routed experts, (tokens, units), in one batch.

    All experts compute together: each on its own tokens, padded to the largest number that one of
    them has.
    """
    tokens, top_k, count = tf.shape(x)[0], routing.picks.shape[1], len(experts)
    owners = tf.reshape(routing.picks, (-1,))
    loads = tf.math.bincount(owners, minlength=count, maxlength=count)
    order = tf.argsort(owners, stable=True)
    starts = tf.cumsum(loads, exclusive=True)
    sorted_owners = tf.gather(owners, order)
    ranks = tf.range(tf.size(owners)) - tf.gather(starts, sorted_owners)
    most = tf.reduce_max(loads)
    places = sorted_owners * most + ranks  # of each routed token, in order, among (experts, most)
    # Row `tokens` of the padded input is zero: it fills what an expert does not need.
    table = tf.tensor_scatter_nd_update(
        tf.fill((count * most,), tokens), places[:, None], order // top_k
    )
    padded = tf.concat([x, tf.zeros((1, x.shape[1]), x.dtype)], 0)
    own = tf.reshape(tf.gather(padded, table), (count, most, x.shape[1]))
    gate, up, down = (_stacked(experts, name, x.dtype) for name in ("gate", "up", "down"))
    hidden = tf.nn.silu(tf.matmul(own, gate)) * tf.matmul(own, up)
    made = tf.reshape(tf.matmul(hidden, down), (count * most, x.shape[1]))
    back = tf.scatter_nd(order[:, None], places, tf.shape(owners))
    each = tf.reshape(tf.gather(made, back), (tokens, top_k, x.shape[1]))
    return tf.reduce_sum(each * tf.cast(routing.weights, x.dtype)[..., None], 1)


def _stacked(experts: list[tf_keras.Model], name: str, dtype: tf.DType) -> tf.Tensor:
    return tf.cast(tf.stack([one.get_layer(name).kernel for one in experts]), dtype)
