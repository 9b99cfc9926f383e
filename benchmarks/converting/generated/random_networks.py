"""Random networks: depth, width and kinds of layers are drawn; the last layer is fitted.

The hidden layers keep their random initialization, with the batch normalizations' statistics taken
from the data, and the last layer is the ridge regression of the labels on their outputs (known as a
random-feature or extreme learning machine). So a network is confident of most inputs, as a trained
one is, and needs no training. A network that is not is drawn again: it would not be deployed, and
where two labels hardly differ, any rounding changes the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from edge_experts.converters.verify.parity import sure

from edge_experts.training import SparseExperts
from edge_experts.training.inference import predict

from .data import KINDS, Data, draw

layers = tf_keras.layers

_SHARPNESS = 8.0  # difference of two labels' logits in a perfect fit
# Of the features' mean square: a feature that hardly varies relative to its size must not be
# scaled up, which no training would do, and for which no recipe has the precision.
_RIDGE = 0.01
_MOSTLY = 0.6  # share of its fitted inputs that a network must be confident of
_ACTIVATIONS = (
    *("relu", "tanh", "sigmoid", "elu", "selu", "swish", "gelu", "softplus", "softsign"),
    *("hard_sigmoid", "leaky_relu", "relu6", "prelu"),
)


@dataclass
class Case:
    """A generated model, and its task."""

    seed: int
    data: Data
    model: SparseExperts
    layers: dict[str, tuple[str, ...]]  # of each of its networks: kinds of layers


@dataclass
class _Draw:
    """One network while it is drawn."""

    data: Data
    random: np.random.Generator
    used: list[str] = field(default_factory=list)

    def note(self, kind: str) -> None:
        if kind not in self.used:
            self.used.append(kind)

    def number(self, least: int, most: int) -> int:
        return int(self.random.integers(least, most + 1))

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def pick(self, things: Any) -> Any:
        return things[self.number(0, len(things) - 1)]


def generate(seed: int) -> Case:
    """Generate a seed's model: one network, or for every third seed a router and two experts."""
    random = np.random.default_rng(seed)
    tf_keras.utils.set_random_seed(seed)
    data = draw(KINDS[seed % len(KINDS)], random)
    count = 2 if seed % 3 == 2 else 1
    experts, used = [], {}
    for index in range(count):
        drawn = _Draw(data, random)
        experts.append(_network(drawn, data.labels, data.targets))
        used[f"expert {index}"] = tuple(drawn.used)
    router = None
    if count > 1:
        drawn = _Draw(data, random)
        router, _ = _finished(drawn, _seen(drawn), count, data.targets % count)
        used["router"] = tuple(drawn.used)
    return Case(seed, data, SparseExperts(router, experts), used)


def _network(draw: _Draw, outputs: int, targets: np.ndarray) -> tf_keras.Model:
    while True:
        draw.used.clear()
        x = _BODIES[draw.data.kind](draw, _seen(draw, flat=False))
        network, confident = _finished(draw, x, outputs, targets)
        if confident >= _MOSTLY:
            return network


def _seen(draw: _Draw, *, flat: bool = True) -> Any:
    """Return the input, or the embeddings of tokens."""
    data = draw.data
    x = tf_keras.Input(data.shape, dtype=str(data.known.dtype), name="x")
    if data.kind == "tokens":
        draw.note("Embedding")
        normal = tf_keras.initializers.RandomNormal(stddev=1.0)
        x = layers.Embedding(data.ids, draw.number(4, 16), embeddings_initializer=normal)(x)
        return layers.GlobalAveragePooling1D()(x) if flat else x
    return layers.Flatten()(x) if flat and len(data.shape) > 1 else x


def _finished(
    draw: _Draw, x: Any, outputs: int, targets: np.ndarray
) -> tuple[tf_keras.Model, float]:
    """Fit the network up to `x` with a last layer; return its share of confident inputs too."""
    inputs = tf_keras.utils.get_source_inputs(x)
    last = layers.Dense(outputs)
    network = tf_keras.Model(inputs, last(x))
    known = {"x": draw.data.known}
    network(tf.constant(draw.data.known), training=True)  # sets batch normalization statistics
    features = predict(tf_keras.Model(inputs, x), known).astype(np.float64)
    mean, wanted = features.mean(axis=0), np.eye(outputs)[targets]
    centred = features - mean
    square = centred.T @ centred
    ridge = _RIDGE * (np.sum(features**2) / len(square) + 1e-9) * np.eye(len(square))
    kernel = _SHARPNESS * np.linalg.solve(square + ridge, centred.T @ (wanted - 1 / outputs))
    last.set_weights([kernel, -mean @ kernel])
    return network, float(sure(tf.nn.softmax(centred @ kernel).numpy()).mean())


def _activated(draw: _Draw, x: Any) -> Any:
    name = draw.pick(_ACTIVATIONS)
    draw.note(name)
    special: Mapping[str, Callable[[], Any]] = {
        "leaky_relu": lambda: layers.LeakyReLU(0.1),
        "relu6": lambda: layers.ReLU(6.0),
        "prelu": lambda: layers.PReLU("uniform"),
    }
    return special[name]()(x) if name in special else layers.Activation(name)(x)


def _dense(draw: _Draw, x: Any) -> Any:
    draw.note("Dense")
    x = layers.Dense(draw.number(4, 48), use_bias=draw.chance(0.8))(x)
    return _activated(draw, _normalized(draw, x))


def _normalized(draw: _Draw, x: Any) -> Any:
    if draw.chance(0.3):
        draw.note("BatchNormalization")
        return layers.BatchNormalization(momentum=0.0)(x)
    return x


def _table(draw: _Draw, x: Any) -> Any:
    for _ in range(draw.number(1, 4)):
        kind = draw.pick(("plain", "plain", "residual", "concat", "gated", "layernorm"))
        draw.note(kind)
        if kind == "residual":
            x = layers.Add()([x, layers.Dense(x.shape[-1], "tanh")(x)])
        elif kind == "concat":
            x = layers.Concatenate()([_dense(draw, x), _dense(draw, x)])
        elif kind == "gated":
            x = layers.Multiply()([x, layers.Dense(x.shape[-1], "sigmoid")(x)])
        elif kind == "layernorm":
            x = layers.LayerNormalization()(_dense(draw, x))
        else:
            x = layers.Dropout(0.2)(_dense(draw, x))
    return x


def _image(draw: _Draw, x: Any) -> Any:
    for _ in range(draw.number(1, 3)):
        kind = draw.pick(("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "residual", "concat"))
        draw.note(kind)
        padding, size = draw.pick(("same", "valid")), draw.pick((1, 2, 3))
        size = min(size, x.shape[1])
        if kind == "residual":
            x = layers.Add()([x, layers.Conv2D(x.shape[-1], 3, padding="same")(x)])
        elif kind == "concat":
            near = layers.Conv2D(4, 1, padding="same")(x)
            x = layers.Concatenate()([near, layers.Conv2D(4, 3, padding="same")(x)])
        elif kind == "DepthwiseConv2D":
            x = layers.DepthwiseConv2D(size, padding=padding, depth_multiplier=draw.pick((1, 2)))(x)
        elif kind == "SeparableConv2D":
            x = layers.SeparableConv2D(draw.number(4, 16), size, padding=padding)(x)
        else:
            strides = draw.pick((1, 2))
            x = layers.Conv2D(draw.number(4, 16), size, strides=strides, padding=padding)(x)
        x = _activated(draw, _normalized(draw, x))
        if x.shape[1] >= 4 and draw.chance(0.5):
            pool = draw.pick((layers.MaxPooling2D, layers.AveragePooling2D))
            draw.note(pool.__name__)
            x = pool()(x)
    return _flattened(draw, x, layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)


def _flattened(draw: _Draw, x: Any, *pools: Any) -> Any:
    last = draw.pick((layers.Flatten, *pools))
    draw.note(last.__name__)
    x = last()(x)
    return _dense(draw, x) if draw.chance(0.5) else x


def _window(draw: _Draw, x: Any) -> Any:
    for _ in range(draw.number(1, 2)):
        kind = draw.pick(("Conv1D", "SeparableConv1D", "recurrent", "attention", "Conv1D"))
        if kind == "recurrent":
            x = _recurrent(draw, x, sequences=True)
        elif kind == "attention":
            x = _attention(draw, x)
        else:
            draw.note(kind)
            dilation = {"dilation_rate": 2} if kind == "Conv1D" and draw.chance(0.3) else {}
            layer = getattr(layers, kind)(draw.number(4, 16), 3, padding="same", **dilation)
            x = _activated(draw, _normalized(draw, layer(x)))
            if x.shape[1] >= 4 and draw.chance(0.4):
                draw.note("MaxPooling1D")
                x = layers.MaxPooling1D()(x)
    if draw.chance(0.3):
        return _recurrent(draw, x, sequences=False)
    return _flattened(draw, x, layers.GlobalAveragePooling1D, layers.GlobalMaxPooling1D)


def _recurrent(draw: _Draw, x: Any, *, sequences: bool) -> Any:
    kind, unroll = draw.pick((layers.LSTM, layers.GRU)), draw.chance(0.5)
    draw.note(f"{kind.__name__} {'unrolled' if unroll else 'batch 1'}")
    return kind(draw.number(4, 12), return_sequences=sequences, unroll=unroll)(x)


def _attention(draw: _Draw, x: Any) -> Any:
    draw.note("MultiHeadAttention")
    width = 8
    x = layers.Dense(width)(x)
    seen = layers.MultiHeadAttention(draw.pick((1, 2)), width // 2)(x, x)
    return layers.LayerNormalization()(layers.Add()([x, seen]))


_BODIES: Mapping[str, Callable[[_Draw, Any], Any]] = {
    "table": _table,
    "image": _image,
    "window": _window,
    "tokens": _window,
}
