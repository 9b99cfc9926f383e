"""Networks of the task in the worker processes of a conversion."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from edge_experts.converters.process.order import Order
from edge_experts.converters.tflite.quantization import Samples, to_tflite

from edge_experts.format.manifest import expert_paths, router_path

from . import model as model  # registers the class that model.keras holds
from .task import STATE


class LayeredNetworks:
    """See `edge_experts.converters.tasks.networks.Networks`."""

    identified = True

    def __init__(self, model: Any, order: Order):
        self._model = model
        routers = {router_path(layer): one for layer, one in enumerate(model.routers)}
        each = len(model.experts) // len(model.routers)
        paths = expert_paths(len(model.experts), [each] * len(model.routers))
        self.files = routers | dict(zip(paths, model.experts, strict=True))

    def route(self, calibration: Samples) -> tuple[np.ndarray, Samples]:
        """Owners of all states on the way, and these states: more rows than inputs."""
        visited = self._model.visited(tf.constant(calibration["x"]))
        states, owners = (np.concatenate(parts) for parts in zip(*visited, strict=True))
        return owners, {STATE: states}

    def samples(
        self, path: str, calibration: Samples, seen: Samples, owners: np.ndarray
    ) -> Samples:
        place = list(self.files).index(path) - len(self._model.routers)
        own = owners == place if place >= 0 else np.ones(len(owners), bool)
        return {STATE: seen[STATE][own if own.any() else slice(None)][:300]}

    def to_tflite(self, path: str, recipe: str, samples: Samples, io: str) -> bytes:
        content: bytes = to_tflite(self.files[path], recipe, samples, io)
        return content

    def reference(self, validation: Samples, folder: Any) -> dict[str, np.ndarray]:
        states = self._model.predict(validation["x"], verbose=0)
        first = self._model.visited(tf.constant(validation["x"]))[0][1].numpy()
        return {"scores": states, "experts": first, "confidence": np.ones(len(first))}
