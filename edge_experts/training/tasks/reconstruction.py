"""Reconstruction of normal examples: errors of each regime, and thresholds by validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...datasets import Dataset
from ...datasets.targets.anomaly_scores import detection_scores, thresholds_of
from ...format.manifest import TaskSpec
from ...runtime.tasks.deviations import Deviations
from ..inference import predict
from ..model import SparseExperts
from ..objectives.routed_task import Arrays
from ..report.anomaly_findings import AnomalyFindings
from .regression import Values

# Least error of a feature, in standard deviations: about the step of an int8 output.
LEAST_ERROR = 0.05
_PRIOR = 20  # examples' weight of the error of all regimes in that of each


class Reconstruction(Values):
    """Standardized inputs as targets, followed by 1 for anomalous examples; see `RoutedTask`.

    Scores of the reconstruction are those of normal examples.

    Args:
        mean, scale: from standardized features to the data's units, (outputs,) float64.
        false_alarms: share of normal examples that may be answered as anomalous.
        deviations: normal errors and thresholds; None before `fitted`.
        figures: scores of the fitted task, for run.json.
    """

    output_kind = "inputs"
    output_words = "one value for each number of the encoded input"
    primary_words = "R2 of the reconstruction"

    def __init__(
        self,
        names: Sequence[str],
        mean: np.ndarray,
        scale: np.ndarray,
        false_alarms: float,
        deviations: Deviations | None = None,
        figures: Mapping[str, Any] | None = None,
    ):
        count = len(names)
        super().__init__(names, np.zeros(count), np.ones(count), np.zeros(0))
        self._units, self.false_alarms = (mean, scale), false_alarms
        self.deviations, self.figures = deviations, dict(figures or {})

    @property
    def task_spec(self) -> TaskSpec:
        assert self.deviations is not None, "it is fitted when the run folder is written"
        config = {**self.deviations.to_json(), "false_alarms": self.false_alarms}
        return TaskSpec("anomaly", config)

    def fitted(self, model: SparseExperts, data: Arrays, dataset: Dataset) -> Reconstruction:
        """Measure the errors of training examples, and the thresholds on validation examples."""
        count = len(model.experts)
        outputs = {split: predict(model, arrays) for split, arrays in data.items()}
        regimes = {
            split: np.zeros(len(found), int) if model.router is None else model.route(data[split])
            for split, found in outputs.items()
        }
        targets = {split: getattr(dataset, split).targets for split in data}
        x = {split: inputs_of(found) for split, found in targets.items()}
        errors = _normal_errors(outputs["train"] - x["train"], regimes["train"], count)
        mean, scale = (each.astype(np.float32) for each in self._units)
        unset = np.ones(count, np.float32)
        found = Deviations(tuple(self.names), mean, scale, errors, unset)
        validation = (x["validation"], outputs["validation"], regimes["validation"])
        thresholds = thresholds_of(
            found.errors_of(*validation), validation[2], count, self.false_alarms
        )
        found = Deviations(tuple(self.names), mean, scale, errors, thresholds.astype(np.float32))
        told = {
            split: detection_scores(
                found.scores(x[split], outputs[split], regimes[split]), is_anomalous(targets[split])
            )
            for split in ("validation", "test")
        }
        figures = {
            "validation_false_alarm_rate": told["validation"]["false_alarm_rate"],
            **{f"test_{name}": value for name, value in told["test"].items()},
        }
        return Reconstruction(self.names, *self._units, self.false_alarms, found, figures)

    def network_targets(self, targets: np.ndarray) -> np.ndarray:
        return super().network_targets(inputs_of(targets))

    def classes(self, targets: np.ndarray) -> np.ndarray:
        """One class: normal examples have no labels."""
        return np.zeros(len(targets), np.int64)

    def class_names(self) -> Sequence[str]:
        return ("normal",)

    def scores(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        normal = ~is_anomalous(targets)
        found = super().scores(outputs[normal], inputs_of(targets)[normal])
        return {name: found[name] for name in ("r2", "mae", "rmse")}

    def points(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return super().points(outputs, inputs_of(targets))

    def findings(
        self, gate: np.ndarray | None, outputs: np.ndarray, targets: np.ndarray
    ) -> AnomalyFindings:
        assert self.deviations is not None, "findings are of a trained model"
        return AnomalyFindings(gate, outputs, inputs_of(targets), self.deviations, self.figures)


def inputs_of(targets: np.ndarray) -> np.ndarray:
    """Encoded examples of targets, (examples, outputs)."""
    return targets[:, :-1]


def is_anomalous(targets: np.ndarray) -> np.ndarray:
    """True for anomalous examples, (examples,) bool."""
    found: np.ndarray = targets[:, -1] > 0
    return found


def _normal_errors(residuals: np.ndarray, regimes: np.ndarray, count: int) -> np.ndarray:
    """Root mean squared error of each feature in each regime, (regimes, outputs) float32.

    Those of all regimes weigh as much as a few examples: a regime with few has no error of its own.
    """
    squares = residuals.astype(np.float64) ** 2
    prior = _PRIOR * squares.mean(axis=0)
    sums = np.zeros((count, squares.shape[1]))
    np.add.at(sums, regimes, squares)
    sizes = np.bincount(regimes, minlength=count)[:, None]
    errors: np.ndarray = np.sqrt((sums + prior) / (sizes + _PRIOR))
    return np.maximum(errors, LEAST_ERROR).astype(np.float32)
