"""Conversion of anomaly detection: thresholds are set anew on the converted files' answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from edge_experts.datasets import Split
from edge_experts.datasets.targets.anomaly_scores import detection_scores, thresholds_of
from edge_experts.features import Features
from edge_experts.format.manifest import Manifest, TaskSpec
from edge_experts.run_folder import Run
from edge_experts.runtime.tasks.deviations import Deviations

from ..verify import confidence
from ..verify.keras_reference import KerasReference
from ..verify.proof import Deployed, Proof
from .conversion_task import GoldenRows, spread
from .regression import RegressionConversion

_UNSUPPORTED = frozenset({"top_k", "second_share", "c_source"})


class AnomalyConversion(RegressionConversion):
    """Scores are reconstructions of standardized inputs, which targets begin with."""

    name = "anomaly"
    options = RegressionConversion.options - _UNSUPPORTED

    def __init__(self, run: Run, features: Features):
        super().__init__(run, features)
        assert run.task_spec is not None, "run.task_type comes from it"
        count = len(run.labels)
        self._mean, self._scale = np.zeros(count), np.ones(count)  # of targets
        self._config = run.task_spec.config
        self._trained = Deviations.read(run.labels, run.experts, self._config)

    def judge(
        self,
        reference: KerasReference,
        deployed: Deployed,
        manifest: Manifest,
        splits: Mapping[str, Split],
    ) -> Proof:
        validation, test = splits["validation"], splits["test"]
        count = len(validation.targets)
        arrays, outputs = deployed.first(count), deployed.arrays["scores"]
        regimes = deployed.arrays["experts"]
        parity = self._compare(
            reference.scores,
            reference.experts,
            outputs[:count],
            arrays["experts"],
            validation.targets,
        )
        found = self._as_deployed(outputs[:count], regimes[:count], validation.targets)
        x = np.concatenate([_inputs(validation.targets), _inputs(test.targets)])
        scores = found.scores(x.astype(np.float32), outputs, regimes).astype(np.float32)
        anomalous = test.targets[:, -1] > 0
        arrays["deviations"] = scores[:count]
        return Proof(
            parity=parity,
            unsure=confidence.measure(
                manifest, outputs[:count], arrays["asked"], validation.targets
            ),
            temperature=1.0,
            scores=outputs[:count],
            arrays=arrays,
            test_scores={
                **detection_scores(scores[count:], anomalous),
                **self.scores(outputs[count:][~anomalous], test.targets[~anomalous]),
            },
            test_examples=len(test.targets),
            task_spec=TaskSpec(
                self.name,
                {**found.to_json(), "false_alarms": self._config["false_alarms"]},
            ),
        )

    def _as_deployed(
        self, outputs: np.ndarray, regimes: np.ndarray, targets: np.ndarray
    ) -> Deviations:
        """Deviations with the thresholds of the converted files."""
        x, share = _inputs(targets).astype(np.float32), float(self._config["false_alarms"])
        errors = self._trained.errors_of(x, outputs, regimes)
        thresholds = thresholds_of(errors, regimes, self.run.experts, share)
        return replace(self._trained, thresholds=thresholds.astype(np.float32))

    def clear(self, proof: Proof) -> np.ndarray:
        """Return the distance of the score from 1, if the router is as sure of the regime."""
        router: np.ndarray = proof.arrays["router"][:, 0]
        return np.minimum(router, np.abs(proof.arrays["deviations"] - 1))

    def golden(self, reference: KerasReference, proof: Proof, manifest: Manifest) -> GoldenRows:
        clear = np.minimum(self.clear(proof), reference.distance(manifest.second_below))
        rows = spread(clear, proof.experts, proof.arrays["asked"])
        return GoldenRows(rows, {"deviations": proof.arrays["deviations"][rows]})

    def test_record(self, proof: Proof) -> dict[str, Any]:
        found = proof.test_scores
        told = ("auroc", "detection_rate", "false_alarm_rate", "r2")
        return {
            "test_scores": {name: found[name] for name in told if found[name] is not None},
            "false_alarms": self._config["false_alarms"],
        }

    def card_rows(self, manifest: Manifest, proof: Proof) -> list[str]:
        beside, found, metrics = proof.parity, proof.test_scores, self.run.metrics
        examples = f"{proof.test_examples:,} test examples"
        rows = [
            f"| stated false-alarm rate | {self._config['false_alarms']:g} |",
            f"| false alarms as deployed | {_share(found['false_alarm_rate'])} of the normal ones "
            f"among {examples} |",
        ]
        if found["auroc"] is not None:
            rows += [
                f"| AUROC as deployed | {found['auroc']:.4f} on {examples} |",
                f"| detection rate | {_share(found['detection_rate'])} of the anomalous ones |",
            ]
        if metrics.get("test_auroc") is not None:
            rows.append(f"| AUROC of the Keras model | {metrics['test_auroc']:.4f}, as trained |")
        return [
            *rows,
            f"| R2 of the reconstruction beside Keras | {beside.keras_scores['r2']:.4f} to "
            f"{beside.scores['r2']:.4f} on {beside.examples:,} normal validation examples |",
        ]

    def limits(self, manifest: Manifest) -> str:
        return (
            "- It knows the normal examples of the data above and nothing else: a new way of "
            "operating is an\n  anomaly to it.\n"
            "- The false-alarm rate holds for new examples like those. A column that was constant "
            "in training\n  is not watched."
        )

    def outputs(self) -> str:
        return f"{len(self.run.labels)} feature(s) ({', '.join(self.run.labels[:5])})"

    def words(self, manifest: Manifest, proof: Proof) -> list[str]:
        found, beside = proof.test_scores, proof.parity
        alarms = (
            f"false alarms on {_share(found['false_alarm_rate'])} of the normal test examples "
            f"({self._config['false_alarms']:g} was stated)"
        )
        told = alarms
        if found["auroc"] is not None:
            told = (
                f"AUROC as deployed {found['auroc']:.4f}, "
                f"{_share(found['detection_rate'])} of the anomalous ones found, {alarms}"
            )
        return [
            f"{told}, on {proof.test_examples:,} test examples",
            f"beside Keras on {beside.examples:,} normal validation examples: R2 of the "
            f"reconstruction {beside.keras_scores['r2']:.4f} to {beside.scores['r2']:.4f}",
        ]

    def wanted(self, targets: np.ndarray) -> np.ndarray:
        return _inputs(targets)

    def scores(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        """Compute scores of the reconstruction, in standard deviations of the inputs."""
        found = super().scores(outputs, _inputs(targets))
        return {name: found[name] for name in ("r2", "mae", "rmse")}


def _inputs(targets: np.ndarray) -> np.ndarray:
    return targets[:, :-1]


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.2%}"
