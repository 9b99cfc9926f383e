"""Thresholds of labels by the weight of the one that all share, on a multi-label bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_experts import ExpertRuntime, datasets
from edge_experts.datasets.targets import label_sets
from edge_experts.errors import UsageError

TASK = "multi-label"
WEIGHTS = (0, 5, 10, 20, 40, 80, 1_000_000)  # the last one leaves the shared threshold alone


@dataclass(frozen=True)
class Scores:
    """Scores on the test examples with thresholds that were chosen on the validation examples.

    Attributes:
        weight: examples of a label from which its own threshold outweighs the shared one.
    """

    weight: int
    f1_micro: float
    f1_macro: float


def measure(bundle: Path, data: str) -> list[Scores]:
    """Answer the validation and test examples once, and choose thresholds by each weight."""
    with ExpertRuntime(bundle) as runtime:
        if runtime.manifest.task_type != TASK:
            raise UsageError(f"{bundle}: is not for several labels; name a bundle of {TASK}")
        seed = runtime.manifest.provenance.get("seed") or 0
        dataset = datasets.load(data, seed, TASK, features=runtime.features)
        probabilities = {
            name: np.array([answer.scores for answer in runtime.predict_many(split.inputs)])
            for name, split in (("validation", dataset.validation), ("test", dataset.test))
        }
    found = []
    for weight in WEIGHTS:
        thresholds = label_sets.choose_thresholds(
            probabilities["validation"], dataset.validation.targets, weight
        )
        scores = label_sets.scores(probabilities["test"] >= thresholds, dataset.test.targets)
        found.append(Scores(weight, **scores))
    return found


def as_table(found: list[Scores]) -> list[list[str]]:
    rows = [[f"{one.weight:,}", f"{one.f1_micro:.4f}", f"{one.f1_macro:.4f}"] for one in found]
    return [["weight", "micro-F1", "macro-F1"], *rows]
