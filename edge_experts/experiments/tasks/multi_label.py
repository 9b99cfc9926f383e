"""Multi-label classification: F1, and the examples' contributions to that of two models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ... import subprocesses
from ...benchmarking.answers import answers
from ...datasets import Dataset
from ...datasets.targets import label_sets
from . import ComparedTask, ModelResult, Scores
from .several_scores import SeveralScores

_SCORES = ("f1_micro", "f1_macro")


class MultiLabelComparison(SeveralScores):
    """Comparison by micro-F1.

    The loss of an example is one minus its contribution to micro-F1 (`label_sets.points`).
    """

    score, title, scores = "f1_micro", "micro-F1", _SCORES
    others: Mapping[str, str] = MappingProxyType({"f1_macro": "macro-F1"})
    points = "points of micro-F1"
    gained = "have a micro-F1 {} points higher"
    outputs = "labels"
    rows: tuple[str, ...] | None = None
    commands: tuple[str, ...] | None = None

    def essential(self, targets: np.ndarray) -> np.ndarray:
        """First example with each label."""
        first: np.ndarray = np.unique(targets.argmax(axis=0))
        return first

    def of_outputs(self, outputs: np.ndarray, dataset: Dataset, run: Any) -> ModelResult:
        thresholds = np.array(run.task_spec.config["thresholds"])
        probabilities = 1 / (1 + np.exp(-np.clip(outputs.astype(np.float64), -500, 500)))
        return _result(probabilities >= thresholds, dataset.test.targets)

    def answered(self, bundle: Path, dataset: Dataset) -> ModelResult:
        told = subprocesses.call(answers, bundle, list(dataset.test.inputs), "labels")
        index = {label: place for place, label in enumerate(dataset.labels)}
        answered = np.zeros(dataset.test.targets.shape, bool)
        for row, labels in enumerate(told):
            answered[row, [index[label] for label in labels]] = True
        return _result(answered, dataset.test.targets)

    def converted(self, conversion: Any, dataset: Dataset) -> ModelResult:
        return self.answered(conversion.bundle, dataset)

    def exported(self, proof: Any) -> tuple[ModelResult, Scores]:
        return ModelResult(_known(proof.scores), proof.examples), _known(proof.float_scores)

    def heading(self) -> dict[str, Any]:
        return {"task": "multi-label", "score": self.score}


def _result(answered: np.ndarray, wanted: np.ndarray) -> ModelResult:
    losses = 1 - label_sets.points(answered, wanted) / 100
    rounded = tuple(float(f"{loss:.6g}") for loss in losses.tolist())
    return ModelResult(label_sets.scores(answered, wanted), len(wanted), rounded)


def _known(found: Mapping[str, Any]) -> Scores:
    return {name: float(found[name]) for name in _SCORES}


COMPARISON: ComparedTask = MultiLabelComparison()
