"""Feed-forward layer of routed experts, of which each token uses the best few.

Routing is dropless: an expert takes all tokens that are routed to it. The experts are balanced by
biases that only the selection sees (Wang et al., 2024, https://arxiv.org/abs/2408.15664), and the
routers' logits are kept small (Zoph et al., 2022, https://arxiv.org/abs/2202.08906). Experts are
SwiGLU networks (Shazeer, 2020, https://arxiv.org/abs/2002.05202). A weighted mean of their outputs
would be smaller than the output of one network of their size; a factor corrects that (as in
DeepSeek-V3, 2024, https://arxiv.org/abs/2412.19437).
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


def expert(units: int, inner: int, name: str, factor: float = 1.0) -> tf_keras.Model:
    """Build one expert: (rows, units) to (rows, units), times a factor."""
    x = tf_keras.Input((units,), name="x")
    gated = tf_keras.layers.Activation("swish", name="swish")(linear(inner, "gate")(x))
    hidden = tf_keras.layers.Multiply(name="gated")([gated, linear(inner, "up")(x)])
    made = linear(units, "down")(hidden)
    if factor != 1:
        made = tf_keras.layers.Rescaling(factor, name="factor")(made)
    return tf_keras.Model(x, made, name=name)


def linear(units: int, name: str) -> tf_keras.layers.Dense:
    """Build a linear layer without bias."""
    return tf_keras.layers.Dense(units, use_bias=False, kernel_initializer=start(), name=name)


def start() -> tf_keras.initializers.Initializer:
    """Create the initializer of one matrix, which keeps the variance of its inputs.

    (LeCun et al., 1998, https://doi.org/10.1007/3-540-49430-8_2) The next matrix needs another one.
    """
    return tf_keras.initializers.LecunNormal()


class Router(tf_keras.layers.Layer):
    """Logits of the experts, and biases that only the selection sees.

    Attributes:
        kernel: (units, experts).
        bias: (experts,), not trained by gradients.
    """

    def __init__(self, units: int, experts: int, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})  # in every precision
        self.kernel = self.add_weight("kernel", (units, experts), tf.float32, start())
        self.bias = self.add_weight(
            "bias",
            (experts,),
            tf.float32,
            "zeros",
            trainable=False,
            # Every replica of a distributed training makes the same change.
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

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
    """Return the weighted outputs of the routed experts, (tokens, units).

    The tokens are sorted by expert, so that each expert computes once, on its own tokens alone:
    padding them to a common number would cost as much as the busiest expert does.
    """
    tokens, top_k, count = tf.shape(x)[0], routing.picks.shape[1], len(experts)
    owners = tf.reshape(routing.picks, (-1,))
    order = tf.argsort(owners, stable=True)
    loads = tf.math.bincount(owners, minlength=count, maxlength=count)
    parts = tf.split(tf.gather(x, order // top_k), loads, num=count)
    made = tf.concat([one(part) for one, part in zip(experts, parts, strict=True)], 0)
    each = tf.reshape(tf.gather(made, tf.math.invert_permutation(order)), (tokens, top_k, -1))
    return tf.reduce_sum(each * tf.cast(routing.weights, x.dtype)[..., None], 1)
