"""Translators in the worker processes; see `tasks.networks.Networks`.

Imported only in worker processes: it needs TensorFlow.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_experts import training  # noqa: F401  sets up Keras before TensorFlow is imported
from edge_experts.format.manifest import ROUTER, expert_path

import tensorflow as tf  # isort: skip
import tf_keras  # isort: skip

from edge_experts.runtime.tasks.translation.beam_search import no_text, write  # isort: skip
from edge_experts.training.translation.model import Translators  # isort: skip

from ..process.order import Order  # isort: skip
from ..tflite import quantization  # isort: skip
from ..tflite.quantization import Samples  # isort: skip
from .functions import TranslatorFunctions, to_tflite  # isort: skip

ROUTED = "routed.npz"  # sentences for the router, if there is one
_PAIR = ("source", "mask", "target")


class TranslationNetworks:
    """Translators, one for each language or domain, and the router among those of a language."""

    identified = True

    def __init__(self, model: Translators, order: Order):
        self._model, self._beams = model, order.settings["beams"]
        experts = {expert_path(index): one for index, one in enumerate(model.experts)}
        router = {} if model.router is None else {ROUTER: model.router}
        self.files = router | experts

    def route(self, calibration: Samples) -> tuple[np.ndarray, Samples]:
        """Route pairs to the experts that the data names; a network for all gets all."""
        owners = calibration["expert"]
        return np.zeros_like(owners) if len(self._model.experts) == 1 else owners, calibration

    def samples(
        self, path: str, calibration: Samples, seen: Samples, owners: np.ndarray
    ) -> Samples:
        if path == ROUTER:
            return calibration
        own = owners == list(self.files).index(path) - (ROUTER in self.files)
        return {name: calibration[name][own] for name in _PAIR}

    def to_tflite(self, path: str, recipe: str, samples: Samples, io: str) -> bytes:
        if path == ROUTER:
            return quantization.to_tflite(self.files[path], recipe, samples)
        rows = range(len(samples["source"]))
        pairs = [{name: array[row : row + 1] for name, array in samples.items()} for row in rows]
        return to_tflite(self.files[path], recipe, pairs, self._beams)

    def reference(self, validation: Samples, folder: Path) -> dict[str, np.ndarray]:
        """Compute Keras's `pieces` with their experts; and `routes` of the sentences in ROUTED."""
        functions = [TranslatorFunctions(expert, self._beams) for expert in self._model.experts]
        never = no_text(len(np.unique(validation["target"])))
        gates = self._gates(validation)
        experts = gates.argmax(axis=1)
        written = np.full((len(gates), functions[0].past[2]), -1, np.int32)
        for row, expert in enumerate(experts.tolist()):
            arrays = {name: validation[name][row : row + 1] for name in _PAIR}
            pieces = write(functions[expert].run, arrays, functions[expert].past, never)[0]
            written[row, : len(pieces)] = pieces
        chances = tf_keras.activations.softmax(tf.constant(gates)).numpy().max(axis=1)
        found = {"pieces": written, "experts": experts, "confidence": chances}
        if (folder / ROUTED).exists():
            with np.load(folder / ROUTED) as arrays:
                found["routes"] = self._gates(dict(arrays)).argmax(axis=1)
        return found

    def _gates(self, given: Samples) -> np.ndarray:
        """Return gates, as the runtime's `named`: (examples, experts)."""
        if len(self._model.experts) == 1:
            return np.zeros((len(given["asked"]), 1), np.float32)
        if self._model.router is None:
            return given["asked"]
        inputs = {name: given[name] for name in ("source", "mask")}
        logits = self._model.router.predict(inputs, batch_size=1024, verbose=0)
        return np.where(given["asked"] < 0, given["asked"], logits)
