"""Regression: R2, and the squared errors of two models on the same examples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ... import subprocesses
from ...benchmarking.answers import answers
from ...datasets import Dataset
from ...datasets.targets.regression_scores import scores as scores_of
from . import ComparedTask, ModelResult, Scores
from .several_scores import SeveralScores

_SCORES = ("r2", "mae", "rmse")


class RegressionComparison(SeveralScores):
    """Comparison of regression models by R2, the explained share of the targets' variance.

    The loss of an example is its squared error divided by the variance of the targets, averaged
    over the outputs.
    """

    score, title, scores = "r2", "R2", _SCORES
    others: Mapping[str, str] = MappingProxyType({"mae": "MAE", "rmse": "RMSE"})
    points = "points of R2"
    gained = "explain {} points more of the targets' variance (R2)"
    outputs = "output(s)"
    rows: tuple[str, ...] | None = None
    commands: tuple[str, ...] | None = None

    def essential(self, targets: np.ndarray) -> np.ndarray:
        """No rows: every subset can be trained on."""
        return np.empty(0, np.int64)

    def of_outputs(self, outputs: np.ndarray, dataset: Dataset, run: Any) -> ModelResult:
        config = run.task_spec.config
        values = outputs * np.array(config["scale"]) + np.array(config["mean"])
        wanted = dataset.test.targets
        return ModelResult(_scores(values, dataset), len(wanted), losses_of(values, wanted))

    def answered(self, bundle: Path, dataset: Dataset) -> ModelResult:
        told = subprocesses.call(answers, bundle, list(dataset.test.inputs), "values")
        values = np.array([[one[name] for name in dataset.labels] for one in told], np.float64)
        wanted = dataset.test.targets
        return ModelResult(_scores(values, dataset), len(wanted), losses_of(values, wanted))

    def converted(self, conversion: Any, dataset: Dataset) -> ModelResult:
        return self.answered(conversion.bundle, dataset)

    def exported(self, proof: Any) -> tuple[ModelResult, Scores]:
        return ModelResult(_known(proof.scores), proof.examples), _known(proof.float_scores)

    def heading(self) -> dict[str, Any]:
        return {"task": "regression", "score": self.score}


def losses_of(values: np.ndarray, wanted: np.ndarray) -> tuple[float, ...]:
    """Squared errors over the variance of the targets, averaged over the outputs, (examples,).

    For a constant target, which has no variance, the divisor is 1.
    """
    variance = wanted.var(axis=0)
    squares = (values - wanted) ** 2 / np.where(variance > 0, variance, 1.0)
    return tuple(float(f"{loss:.6g}") for loss in squares.mean(axis=1).tolist())


def _scores(values: np.ndarray, dataset: Dataset) -> Scores:
    found = scores_of(values, dataset.test.targets, dataset.labels)
    return _known(found)


def _known(found: Mapping[str, Any]) -> Scores:
    return {name: float(found[name]) for name in _SCORES}


COMPARISON: ComparedTask = RegressionComparison()
