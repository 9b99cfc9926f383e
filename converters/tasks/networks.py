"""Networks of tasks in the worker processes: their files, conversion, and answers in Keras.

Imported only in worker processes: it needs TensorFlow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edge_experts.format.manifest import ROUTER, expert_path
from edge_experts.runtime.tasks.multi_label import sigmoid
from edge_experts.training import SparseExperts  # sets up Keras before TensorFlow is imported
from edge_experts.training.inference import predict
from edge_experts.training.leaving import CALIBRATION_ROWS

import tensorflow as tf  # isort: skip

from ..process.order import ROUTER_ROWS, Order  # isort: skip
from ..tflite.layouts import IN_ONE_FILE  # isort: skip
from ..tflite.quantization import Samples, to_tflite  # isort: skip

ENOUGH = 100  # examples of an expert's calibration set, below which others are added
_MOST = CALIBRATION_ROWS


class Networks(Protocol):
    """Networks of a model, as one task converts them.

    Attributes:
        files: the network of each file of the bundle.
        identified: True if a network's configuration and weights distinguish it from all others.
    """

    files: dict[str, Any]
    identified: bool

    def __init__(self, model: Any, order: Order): ...

    def route(self, calibration: Samples) -> tuple[np.ndarray, Samples]:
        """Return the expert of each calibration input, -1 without a router; and experts' inputs."""

    def samples(
        self, path: str, calibration: Samples, seen: Samples, owners: np.ndarray
    ) -> Samples:
        """Return the calibration set of a file's network."""

    def to_tflite(self, path: str, recipe: str, samples: Samples, io: str) -> bytes:
        """Convert one network."""

    def reference(self, validation: Samples, folder: Path) -> dict[str, np.ndarray]:
        """Compute answers of Keras; see `verify.keras_reference`."""


class RowNetworks:
    """Networks that output a row of numbers: a router and experts, or all in one file."""

    def __init__(self, model: SparseExperts, order: Order):
        self._model, self._order = model, order
        self.identified = order.layout not in IN_ONE_FILE  # those contain functions
        if not self.identified:
            self.files = {expert_path(0): IN_ONE_FILE[order.layout](model)}
            return
        router = {} if model.router is None else {ROUTER: model.router}
        self.files = router | {expert_path(index): one for index, one in enumerate(model.experts)}

    @property
    def _routed(self) -> bool:
        return self._model.router is not None and self.identified

    def route(self, calibration: Samples) -> tuple[np.ndarray, Samples]:
        if not self._routed:
            return np.full(_count(calibration), -1), calibration
        return self._model.route(calibration), self._model.expert_inputs(calibration)

    def samples(
        self, path: str, calibration: Samples, seen: Samples, owners: np.ndarray
    ) -> Samples:
        if path == ROUTER:
            return _rows(
                calibration, np.arange(len(owners))[: self._order.settings.get(ROUTER_ROWS)]
            )
        rows = np.arange(len(owners))
        if (owners >= 0).any():
            expert = list(self.files).index(path) - (ROUTER in self.files)
            rows = representative(owners, expert)
        return _rows(seen, self.ordered(path, seen, rows))

    def ordered(self, path: str, seen: Samples, rows: np.ndarray) -> np.ndarray:
        """Order the rows that may calibrate a network; the first are used."""
        return rows

    def to_tflite(self, path: str, recipe: str, samples: Samples, io: str) -> bytes:
        return to_tflite(self.files[path], recipe, samples, io)

    def reference(self, validation: Samples, folder: Path) -> dict[str, np.ndarray]:
        count = _count(validation)
        found = {"experts": np.zeros(count, int), "confidence": np.ones(count)}
        if self._routed:
            gate = tf.nn.softmax(self._model.gate(validation)).numpy()
            found = {"experts": gate.argmax(axis=1), "confidence": gate.max(axis=1)}
        found["scores"] = self.scores(validation, self._order.top_k)
        if self._order.second:
            found["second"] = self.scores(validation, 2)
        return found

    def scores(self, inputs: Samples, top_k: int) -> np.ndarray:
        """Compute scores of the model, (examples, labels), with `top_k` experts for each input."""
        before, self._model.top_k = self._model.top_k, top_k
        found: np.ndarray = predict(self._model, inputs)
        self._model.top_k = before
        return found


class ClassificationNetworks(RowNetworks):
    """Networks whose scores are probabilities of labels; the model outputs their logarithms."""

    def scores(self, inputs: Samples, top_k: int) -> np.ndarray:
        return np.exp(super().scores(inputs, top_k))


class MultiLabelNetworks(RowNetworks):
    """Networks whose scores are probabilities of independent labels; the model outputs logits."""

    def scores(self, inputs: Samples, top_k: int) -> np.ndarray:
        return sigmoid(super().scores(inputs, top_k))


class RegressionNetworks(RowNetworks):
    """Networks whose scores are standardized outputs."""

    def ordered(self, path: str, seen: Samples, rows: np.ndarray) -> np.ndarray:
        """Order rows so that the smallest and the largest outputs come first.

        An int8 network cannot output values beyond those in its calibration set.
        """
        inputs = {name: array[rows] for name, array in seen.items()}
        outputs = (
            predict(self.files[path], inputs)
            if self.identified
            else self.scores(inputs, self._order.top_k)
        )
        extreme = np.unique([outputs.argmin(axis=0), outputs.argmax(axis=0)])
        return np.concatenate([rows[extreme], np.delete(rows, extreme)])


def representative(owners: np.ndarray, expert: int) -> np.ndarray:
    """Select rows to calibrate an expert: its own, with others if these are few."""
    own = np.flatnonzero(owners == expert)
    others = np.flatnonzero(owners != expert)
    return np.concatenate([own, others[: max(0, ENOUGH - len(own))]])


def _count(samples: Samples) -> int:
    return len(next(iter(samples.values())))


def _rows(samples: Samples, rows: np.ndarray) -> Samples:
    return {name: array[rows[:_MOST]] for name, array in samples.items()}
