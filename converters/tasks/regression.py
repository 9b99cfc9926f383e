"""Conversion of regression: experts output values, standardized by the targets' mean and scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from edge_experts.datasets import Split
from edge_experts.datasets.targets.regression_scores import scores as scores_of
from edge_experts.features import Features
from edge_experts.format.manifest import Manifest
from edge_experts.run_folder import Run

from ..targets.microcontroller import MicroResult
from ..verify import confidence
from ..verify.keras_reference import KerasReference
from ..verify.proof import Deployed, Proof
from ..verify.value_parity import FAR, ExpertValueParity, RegressionParity
from .c_answers import VALUES, CAnswer
from .c_literals import listing, single
from .conversion_task import GoldenRows
from .row_conversion import RowConversion


class RegressionConversion(RowConversion):
    """Scores are standardized outputs; value = output * scale + mean."""

    name, primary = "regression", "r2"
    networks = "edge_experts.converters.tasks.networks:RegressionNetworks"

    def __init__(self, run: Run, features: Features):
        super().__init__(run, features)
        assert run.task_spec is not None, "run.task_type comes from it"
        self._mean, self._scale = (
            np.array(run.task_spec.config[name], np.float64) for name in ("mean", "scale")
        )

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
        parity = self._compare(
            reference.as_deployed(manifest.second_below),
            reference.experts,
            outputs[:count],
            arrays["experts"],
            validation.targets,
        )
        return Proof(
            parity=parity,
            unsure=confidence.measure(
                manifest, outputs[:count], arrays["asked"], validation.targets
            ),
            temperature=1.0,
            scores=outputs[:count],
            arrays=arrays,
            test_scores=self.scores(outputs[count:], test.targets),
            test_examples=len(test.targets),
        )

    def _compare(
        self,
        keras: np.ndarray,
        keras_experts: np.ndarray,
        outputs: np.ndarray,
        experts: np.ndarray,
        targets: np.ndarray,
    ) -> RegressionParity:
        """Compare standardized outputs (examples, outputs) and routes (examples,)."""
        differences = np.abs(keras.astype(np.float64) - outputs).max(axis=1)
        wanted = self.wanted(targets)
        ours, theirs = self.scores(outputs, targets), self.scores(keras, targets)
        cost = _normalized_squared_errors(outputs, wanted, wanted) - _normalized_squared_errors(
            keras, wanted, wanted
        )

        def of(expert: int) -> ExpertValueParity:
            own = (keras_experts == expert) & (experts == expert)
            return ExpertValueParity(
                expert=expert,
                examples=int(own.sum()),
                largest_difference=float(differences[own].max()),
                other_outputs=float(np.mean(differences[own] > FAR)),
                keras_r2=self.scores(keras[own], targets[own])["r2"],
                deployed_r2=self.scores(outputs[own], targets[own])["r2"],
            )

        return RegressionParity(
            examples=len(targets),
            equal_experts=float(np.mean(keras_experts == np.maximum(experts, 0))),
            largest_difference=float(differences.max()),
            other_outputs=float(np.mean(differences > FAR)),
            keras_r2=theirs["r2"],
            deployed_r2=ours["r2"],
            keras_mae=theirs["mae"],
            deployed_mae=ours["mae"],
            keras_rmse=theirs["rmse"],
            deployed_rmse=ours["rmse"],
            drop_error=float(100 * cost.std() / math.sqrt(len(cost))),
            experts=tuple(of(int(e)) for e in np.unique(keras_experts[keras_experts == experts])),
        )

    def clear(self, proof: Proof) -> np.ndarray:
        """Return the router's probability of its first choice: outputs have no boundaries."""
        router: np.ndarray = proof.arrays["router"][:, 0]
        return router

    def golden(self, reference: KerasReference, proof: Proof, manifest: Manifest) -> GoldenRows:
        rows = super().golden(reference, proof, manifest).rows
        return GoldenRows(rows, {"values": proof.arrays["values"][rows]})

    def test_record(self, proof: Proof) -> dict[str, Any]:
        return {"test_scores": {name: proof.test_scores[name] for name in ("mae", "rmse", "r2")}}

    def card_rows(self, manifest: Manifest, proof: Proof) -> list[str]:
        beside, found, metrics = _own(proof), proof.test_scores, self.run.metrics
        trained = metrics.get("test_r2")
        return [
            f"| R2 as deployed | {found['r2']:.4f} on {proof.test_examples:,} test examples |",
            f"| mean absolute error | {found['mae']:.6g} on the same |",
            f"| root mean squared error | {found['rmse']:.6g} on the same |",
            *(
                []
                if trained is None
                else [f"| R2 of the Keras model | {trained:.4f}, as trained |"]
            ),
            f"| R2 beside Keras | {beside.keras_r2:.4f} to {beside.deployed_r2:.4f} on "
            f"{beside.examples:,} validation examples |",
            f"| largest difference of outputs | {beside.largest_difference:.4f} standard "
            "deviations of the targets |",
        ]

    def limits(self, manifest: Manifest) -> str:
        return (
            "- It was trained on the data above and knows nothing else: on other kinds of input "
            "its error is\n  unknown.\n"
            "- It always answers, and says nothing of how sure it is."
        )

    def outputs(self) -> str:
        return f"{len(self.run.labels)} output(s) ({', '.join(self.run.labels[:5])})"

    def on_microcontroller(self, files: Mapping[str, MicroResult]) -> dict[str, Any]:
        return {"largest_difference_there": max(one.largest_difference for one in files.values())}

    def to_json(self, manifest: Manifest, proof: Proof) -> dict[str, Any]:
        return {**proof.test_scores, **super().to_json(manifest, proof)}

    def words(self, manifest: Manifest, proof: Proof) -> list[str]:
        beside, found = _own(proof), proof.test_scores
        there = manifest.verified_on.get("largest_difference_there")
        micro = [] if there is None else [f"outputs in TensorFlow Lite Micro differ by {there:.4g}"]
        return [
            f"R2 as deployed {found['r2']:.4f}, mean absolute error {found['mae']:.6g}, on "
            f"{proof.test_examples:,} test examples",
            f"beside Keras on {beside.examples:,} validation examples: R2 {beside.keras_r2:.4f} "
            f"to {beside.deployed_r2:.4f}, largest difference {beside.largest_difference:.3f} "
            "standard deviations",
            *micro,
            *self.unsure_words(proof),
        ]

    def wanted(self, targets: np.ndarray) -> np.ndarray:
        standardized: np.ndarray = (targets - self._mean) / self._scale
        return standardized

    def scores(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        """Compute scores in the data's units from standardized outputs."""
        values = outputs.astype(np.float64) * self._scale + self._mean
        return scores_of(values, targets, self.run.labels)

    def calibrate(self, scores: np.ndarray, targets: np.ndarray) -> float:
        return 1.0

    @staticmethod
    def losses(
        outputs: np.ndarray, wanted: np.ndarray, all_wanted: np.ndarray, temperature: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Squared errors; and the same divided by the variance, so R2 is one minus their mean."""
        squares: np.ndarray = np.mean((outputs - wanted) ** 2, axis=1)
        return squares, _normalized_squared_errors(outputs, wanted, all_wanted)

    @staticmethod
    def c_answer(manifest: Manifest) -> CAnswer:
        assert manifest.task_spec is not None
        arrays = {name: map(single, manifest.task_spec.config[name]) for name in ("mean", "scale")}
        return replace(
            VALUES,
            definitions="".join(
                f"const float edge_experts_output_{name}[EDGE_EXPERTS_LABELS] = {{\n"
                f"{listing(values)}\n}};\n\n"
                for name, values in arrays.items()
            ),
        )


def _normalized_squared_errors(
    outputs: np.ndarray, wanted: np.ndarray, all_wanted: np.ndarray
) -> np.ndarray:
    """Squared errors divided by the variance of each output, averaged over outputs, (examples,)."""
    variance = all_wanted.var(axis=0)
    normalized: np.ndarray = np.mean(
        (outputs - wanted) ** 2 / np.where(variance > 0, variance, 1.0), axis=1
    )
    return normalized


def _own(proof: Proof) -> RegressionParity:
    assert isinstance(proof.parity, RegressionParity)
    return proof.parity
