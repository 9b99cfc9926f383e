"""Classification: accuracy, and McNemar's test of two models on the same examples."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ... import subprocesses
from ...benchmarking.answers import answers
from ...datasets import Dataset
from . import ComparedTask, Interval, ModelResult, Scores


class ClassificationComparison:
    """Share of correct answers; a loss is 0 or 1."""

    score = title = "accuracy"
    others: Mapping[str, str] = MappingProxyType({})
    points = "points"
    gained = "classify {} points more of the examples correctly"
    outputs = "labels"
    rows: tuple[str, ...] | None = None
    commands: tuple[str, ...] | None = None

    def essential(self, targets: np.ndarray) -> np.ndarray:
        """First example of each label."""
        first: np.ndarray = np.unique(targets, return_index=True)[1]
        return first

    def trained(self, metrics: Mapping[str, Any]) -> Scores:
        return {"accuracy": float(metrics["test_accuracy"])}

    def of_outputs(self, outputs: np.ndarray, dataset: Dataset, run: Any) -> ModelResult:
        wrong = outputs.argmax(axis=1) != dataset.test.targets
        scores = {"accuracy": round(1 - float(wrong.mean()), 5)}
        return ModelResult(scores, len(wrong), tuple(map(float, wrong)))

    def answered(self, bundle: Path, dataset: Dataset) -> ModelResult:
        labels = subprocesses.call(answers, bundle, list(dataset.test.inputs), "label")
        truth = [dataset.labels[target] for target in dataset.test.targets]
        right = [answer == label for answer, label in zip(labels, truth, strict=True)]
        scores = {"accuracy": sum(right) / len(right)}
        return ModelResult(scores, len(right), tuple(float(not one) for one in right))

    def converted(self, conversion: Any, dataset: Dataset) -> ModelResult:
        return ModelResult({"accuracy": conversion.test_accuracy}, conversion.test_examples)

    def exported(self, proof: Any) -> tuple[ModelResult, Scores]:
        outcome = ModelResult({"accuracy": proof.accuracy}, proof.examples)
        return outcome, {"accuracy": proof.float_accuracy}

    def paired(self, one: ModelResult, base: ModelResult) -> tuple[float, float]:
        """Difference by the examples that only one of the models gets right (McNemar, 1947).

        One more such example is assumed, so that none in few examples does not seem certain.
        """
        pairs = list(zip(one.losses, base.losses, strict=True))
        only, other = sum(a < b for a, b in pairs), sum(a > b for a, b in pairs)
        return (only - other) / len(pairs), math.sqrt(only + other + 1) / len(pairs)

    def error(self, one: ModelResult, other: ModelResult) -> float:
        """Standard error of the difference between two independent shares of the examples.

        It is conservative: that both models answer the same examples, mostly alike, is not used.
        """
        shares = [outcome.scores["accuracy"] for outcome in (one, other)]
        return math.sqrt(sum(share * (1 - share) for share in shares) / one.examples)

    def row(
        self, deployed: Sequence[Scores], trained: Sequence[Scores], interval: Interval | None
    ) -> dict[str, Any]:
        accuracies = [scores["accuracy"] for scores in deployed]
        return {
            "accuracy": round(statistics.mean(accuracies), 6),
            "accuracy_interval": interval,
            "accuracies": accuracies,
            "float_accuracies": [scores["accuracy"] for scores in trained],
        }

    def candidate(self, scores: Scores) -> dict[str, Any]:
        return dict(scores)

    def heading(self) -> dict[str, Any]:
        return {}


COMPARISON: ComparedTask = ClassificationComparison()
