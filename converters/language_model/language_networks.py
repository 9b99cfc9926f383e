"""Language models in the worker processes; see `tasks.networks.Networks`.

Imported only in worker processes: it needs TensorFlow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge_experts import training  # noqa: F401  sets up Keras before TensorFlow is imported
from edge_experts.format.manifest import layer_expert_path, router_path
from edge_experts.runtime.tasks.language_model.embedding_rows import packed_rows
from edge_experts.runtime.tasks.language_model.network_settings import (
    EMBEDDING,
    HEAD,
    attention_in_path,
    attention_out_path,
)

import tensorflow as tf  # isort: skip

from edge_experts.features.byte_pairs import END  # isort: skip
from edge_experts.training.language_model.expert_layer import mixed, route  # isort: skip
from edge_experts.training.language_model.language_network import (  # isort: skip
    ROTARY_BASE,
    LanguageModel,
)

from ..process.order import Order  # isort: skip
from ..recipes import INT4  # isort: skip
from ..tflite.quantization import (  # isort: skip
    Samples,
    converted,
    dynamic,
    float32,
    per_channel,
)
from .blocks import in_blocks  # isort: skip
from .file_networks import GATE, networks  # isort: skip

IN, OUT = "in:", "out:"  # prefixes of arrays of one file
_ROWS = 4  # on which each file is compared with Keras


class LanguageNetworks:
    """Files of a language model.

    Weights are quantized, activations stay float32; a router is float32 in every recipe.
    """

    identified = True

    def __init__(self, model: LanguageModel, order: Order):
        self._model, self._per_channel = model, order.settings["per_channel"]
        self.files = networks(model)
        self._routers = {router_path(layer) for layer in range(model.size.layers)}

    def route(self, calibration: Samples) -> tuple[np.ndarray, Samples]:
        """Return nothing: no activation is calibrated."""
        return np.zeros(0, int), {}

    def samples(
        self, path: str, calibration: Samples, seen: Samples, owners: np.ndarray
    ) -> Samples:
        return {}

    def to_tflite(self, path: str, recipe: str, samples: Samples, io: str) -> bytes:
        network = self.files[path]
        if path == EMBEDDING:
            kind = "float32" if recipe == "float32" else "int8"
            return packed_rows(network.get_weights()[0], kind)
        if recipe == "float32" or path in self._routers:
            return converted(network, float32, samples)
        if recipe == INT4:
            return in_blocks(converted(network, float32, samples))
        return converted(network, per_channel if self._per_channel else dynamic, samples)

    def reference(self, validation: Samples, folder: Path) -> dict[str, Any]:
        """Compute losses and last logits of the windows, and inputs and outputs of each file.

        Args:
            validation: "windows", tokens padded with -1, (windows, tokens).
        """
        windows = validation["windows"]
        tokens = tf.constant(np.maximum(windows[:, :-1], END))
        hidden, _ = self._model.hidden(tokens)
        logits = self._model.logits(hidden)
        targets = windows[:, 1:]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(np.maximum(targets, END), logits)
        lengths = (targets >= 0).sum(axis=1)
        return {
            "windows": windows,
            "rotary_base": np.array(ROTARY_BASE),
            "biases": self._biases(),
            "losses": np.where(targets >= 0, losses.numpy(), 0.0),
            "last": logits.numpy()[np.arange(len(windows)), lengths - 1],
            **self._of_files(tokens),
        }

    def _biases(self) -> np.ndarray:
        """Return the biases that only the selection sees, (layers, experts)."""
        if not self._model.routers:
            return np.zeros((self._model.size.layers, 1), np.float32)
        return np.array([router.bias.numpy() for router in self._model.routers])

    def _of_files(self, tokens: tf.Tensor) -> dict[str, np.ndarray]:
        """Collect rows that reach each file in the trained model, and what its network makes."""
        model, size = self._model, self._model.size
        found: dict[str, np.ndarray] = {}

        def keep(path: str, rows: np.ndarray) -> np.ndarray:
            made = self.files[path](tf.constant(rows))
            first: np.ndarray = (made[GATE] if isinstance(made, dict) else made).numpy()
            found[IN + path], found[OUT + path] = rows, first
            return first

        x = model.embedded(tokens)
        for layer, attention in enumerate(model.attentions):
            made = keep(attention_in_path(layer), _some(x))
            # A token that attends to itself alone: rows of the size of mixed values.
            values = made[:, -size.key_heads * size.width :].reshape(len(made), size.key_heads, -1)
            keep(
                attention_out_path(layer),
                np.repeat(values, size.heads // size.key_heads, axis=1).reshape(len(made), -1),
            )
            x = x + attention(x)
            keep(router_path(layer), _some(x))
            rows = tf.reshape(model.norms[layer](x), (-1, size.units))
            if model.routers:
                x = x + tf.reshape(self._routed(layer, rows, keep), tf.shape(x))
            else:
                keep(layer_expert_path(layer, 0), rows.numpy()[:_ROWS])
                x = x + tf.reshape(model.experts[layer](rows), tf.shape(x))
        keep(HEAD, _some(x))
        return found

    def _routed(self, layer: int, rows: tf.Tensor, keep: Any) -> tf.Tensor:
        model, size = self._model, self._model.size
        routing = route(model.routers[layer], rows, size.top_k, size.gate)
        picks = routing.picks.numpy()
        for number in range(size.experts):
            own = np.flatnonzero((picks == number).any(axis=1))
            # An expert that no row of these windows is routed to gets any rows.
            chosen = np.concatenate([own, np.arange(_ROWS)])[:_ROWS]
            keep(layer_expert_path(layer, number), rows.numpy()[chosen])
        return mixed(routing, model.of_layer(layer), rows)


def _some(x: tf.Tensor) -> np.ndarray:
    """Return the second rows of the first windows: a first one is of `END`."""
    rows: np.ndarray = x.numpy()[:_ROWS, 1]
    return rows
