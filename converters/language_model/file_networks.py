"""Keras networks of a language model's files, with the weights of the trained model.

Imported only in worker processes: it needs TensorFlow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_experts import training  # noqa: F401  sets up Keras before TensorFlow is imported
from edge_experts.format.manifest import TRUNK, layer_expert_path, router_path
from edge_experts.runtime.tasks.language_model.layered_network import MIXED, STREAM
from edge_experts.runtime.tasks.language_model.network_settings import (
    EMBEDDING,
    HEAD,
    attention_in_path,
    attention_out_path,
)

import tf_keras  # isort: skip

from edge_experts.training.language_model.language_network import (  # isort: skip
    LanguageModel,
    RMSNorm,
)


GATE = "gate"  # first output of a router, in alphabetical order


def networks(model: LanguageModel) -> dict[str, tf_keras.Model]:
    """Build the network of each file, by its path: rows in, rows out.

    Those of attention, and the head, begin with their norm. A router also outputs the normalized
    rows, which its layer's experts take. The embedding has a network for its weights alone, as
    they enter the first layer.
    """
    size = model.size
    mixed = size.heads * size.width
    found = {EMBEDDING: _embedding(model)}
    for layer, attention in enumerate(model.attentions):
        into = [attention.query, attention.key, attention.value]
        kernel = np.concatenate([one.kernel.numpy() for one in into], axis=1)
        found[attention_in_path(layer)] = _projection(STREAM, kernel, attention.norm)
        found[attention_out_path(layer)] = _projection(MIXED, attention.out.kernel.numpy())
        assert found[attention_out_path(layer)].input_shape == (None, mixed)
    found[HEAD] = _projection(STREAM, model.embedding.numpy().T, model.last_norm)
    for layer in range(size.layers):
        found[router_path(layer)] = _router(model, layer)
        for number, one in enumerate(model.of_layer(layer)):
            rows = tf_keras.Input((size.units,), name=TRUNK)
            name = f"expert_{layer}_{number}"  # part of the network's digest
            path = layer_expert_path(layer, number)
            found[path] = tf_keras.Model(rows, one(rows), name=name)
    return found


def _projection(given: str, kernel: np.ndarray, norm: Any = None) -> tf_keras.Model:
    """Build a norm, if any, and a product with `kernel`, (units, outputs)."""
    rows = tf_keras.Input((kernel.shape[0],), name=given)
    x = rows if norm is None else _copy(norm)(rows)
    layer = tf_keras.layers.Dense(kernel.shape[1], use_bias=False, name="product")
    made = tf_keras.Model(rows, layer(x))
    layer.set_weights([kernel])
    if norm is not None:
        made.layers[1].set_weights(norm.get_weights())
    return made


def _router(model: LanguageModel, layer: int) -> tf_keras.Model:
    """Build norm and logits. A dense network has one expert a layer, and no logits to compute."""
    size, norm = model.size, model.norms[layer]
    kernel = (
        model.routers[layer].kernel.numpy()
        if model.routers
        else np.zeros((size.units, 1), np.float32)
    )
    rows = tf_keras.Input((size.units,), name=STREAM)
    copied = _copy(norm)
    trunk = copied(rows)
    logits = tf_keras.layers.Dense(kernel.shape[1], use_bias=False, name="logits")
    made = tf_keras.Model(rows, {GATE: logits(trunk), TRUNK: trunk})
    logits.set_weights([kernel])
    copied.set_weights(norm.get_weights())
    return made


def _embedding(model: LanguageModel) -> tf_keras.Model:
    size = model.size
    token = tf_keras.Input((), dtype="int32", name="token")
    layer = tf_keras.layers.Embedding(size.pieces, size.units, name="rows")
    made = tf_keras.Model(token, layer(token))
    layer.set_weights([model.embedded(np.arange(size.pieces)).numpy()])
    return made


def _copy(norm: RMSNorm) -> RMSNorm:
    return RMSNorm(norm.scale.shape[0], name="norm")
