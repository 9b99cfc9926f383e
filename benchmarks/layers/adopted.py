"""A case through `adopt`: saved in each format, read, converted, and compared with Keras."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras
from edge_experts.converters.trial import DIFFERENCE, TrialProcesses, TriedConversion

from edge_experts import run_folder
from edge_experts.features import encode_all
from edge_experts.format.manifest import expert_path
from edge_experts.training import adopt
from edge_experts.training.inference import predict
from edge_experts.training.model_files import load_model

from .cases import Case
from .keras3_files import file_of
from .matrix_data import LABELS, dataset
from .outcome import Outcome, attempt, inputs_of

_ASKED = 12  # examples
_ENDINGS = {"SavedModel": "", "weights only": ".weights.h5"}  # of other formats their names


def adopted(
    case: Case, ways: Sequence[str], folder: Path, keras_3: Path, processes: TrialProcesses
) -> list[Outcome]:
    """Save a case's network in some formats, adopt each file and convert the result.

    Args:
        keras_3: folder of the files that `keras3_files` wrote.
    """
    adoptions = _Adoptions(case, folder, keras_3, processes)
    return [attempt(case.name, way, partial(adoptions.of, way)) for way in ways]


class _Adoptions:
    """Adoptions of one case. Formats that give the same network have one conversion."""

    def __init__(self, case: Case, folder: Path, keras_3: Path, processes: TrialProcesses):
        self._case, self._folder, self._keras_3 = case, folder, keras_3
        self._processes = processes
        self._failures: dict[str, dict[str, str]] = {}  # by network, then by recipe

    def of(self, way: str) -> Outcome:
        """Adopt the file of one format."""
        folder = self._folder / way.replace(" ", "_")
        folder.mkdir()
        path, run = self._saved(way, folder), folder / "adopted.run"
        adopt(path, dataset(self._case.data, ids=self._case.data == "ids"), run)
        described = run_folder.read_run(run)
        features = run_folder.read_features(run, described)
        examples = run_folder.read_examples(run, features)["train"].inputs[:_ASKED]
        model, inputs = load_model(run / run_folder.MODEL), encode_all(features, examples)
        if not way.startswith("Keras 3"):  # `adopt` itself compares those with Keras 3
            difference = _difference(model.experts[0], self._network, inputs)
            if difference > DIFFERENCE:
                reason = f"its answers differ from Keras's by {difference:.2g}"
                return Outcome(self._case.name, way, "late", reason)
        failures = self._converted(model, inputs, way, folder)
        if "float32" in failures:
            # `convert` refuses it; nothing was trained here that would be lost.
            return Outcome(self._case.name, way, "refused", failures["float32"])
        return Outcome(self._case.name, way, "works", int8=failures.get("int8", "works"))

    @cached_property
    def _network(self) -> tf_keras.Model:
        inputs = inputs_of(self._case, ids=self._case.data == "ids")
        return self._case.network(tf_keras, inputs, LABELS)

    def _saved(self, way: str, folder: Path) -> Path:
        if way.startswith("Keras 3"):
            return file_of(self._keras_3, self._case, way.rpartition(" ")[2])
        path = folder / f"network{_ENDINGS.get(way, way)}"
        if way == "weights only":
            self._network.save_weights(path)
        elif way == "SavedModel":
            self._network.save(path, save_format="tf")
        else:
            self._network.save(path)
        return path

    def _converted(self, model: Any, inputs: Any, way: str, folder: Path) -> dict[str, str]:
        """Convert a network to both recipes, unless it was; return the failures by recipe."""
        key = _key(model.experts[0])
        if key not in self._failures:
            converted = folder / "converted"
            converted.mkdir()
            tried = TriedConversion(
                converted, model, inputs, {expert_path(0): way}, self._processes
            )
            found = tried.failures(("float32", "int8"))
            self._failures[key] = {file.recipe: reason for file, reason in found.items()}
        return self._failures[key]


def _key(network: tf_keras.Model) -> str:
    """Digest of the layers, settings and weights, of which the converted files are made."""
    config = json.dumps(network.get_config(), default=str, sort_keys=True)
    digest = hashlib.sha256(config.encode())
    for weights in network.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()


def _difference(network: tf_keras.Model, wanted: tf_keras.Model, inputs: Any) -> float:
    """Largest difference of the outputs, relative to the largest output, or to 1."""
    outputs, correct = predict(network, inputs), predict(wanted, inputs)
    return float(np.max(np.abs(outputs - correct))) / max(1.0, float(np.max(np.abs(correct))))
