"""Conversion of classification: experts choose one of the run's labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from edge_experts.datasets import Split
from edge_experts.format.manifest import Manifest

from ..targets.microcontroller import MicroResult
from ..verify import confidence, parity
from ..verify.keras_reference import KerasReference
from ..verify.proof import Deployed, Proof
from .c_answers import LABEL, CAnswer
from .c_literals import single
from .row_conversion import RowConversion

_NEVER = "It always answers with one of its labels, also where none fits."
_SELDOM = "It abstains where it is unsure of its labels, and may be sure of one where none fits."


class ClassificationConversion(RowConversion):
    """Scores are probabilities of labels, calibrated on the validation examples."""

    name, primary = "classification", "accuracy"
    networks = "edge_experts.converters.tasks.networks:ClassificationNetworks"
    options = RowConversion.options | {"abstain_below"}

    def judge(
        self,
        reference: KerasReference,
        deployed: Deployed,
        manifest: Manifest,
        splits: Mapping[str, Split],
    ) -> Proof:
        validation, test = splits["validation"], splits["test"]
        count = len(validation.targets)
        arrays, scores = deployed.first(count), deployed.arrays["scores"]
        found = parity.compare(
            reference.as_deployed(manifest.second_below),
            reference.experts,
            scores[:count],
            arrays["experts"],
            validation.targets,
        )
        temperature = parity.fit_temperature(scores[:count], validation.targets)
        scores = parity.at_temperature(scores, temperature)
        asked = arrays["asked"]
        return Proof(
            parity=found,
            unsure=confidence.measure(manifest, scores[:count], asked, validation.targets),
            temperature=temperature,
            scores=scores[:count],
            arrays=arrays,
            test_scores=self.scores(scores[count:], test.targets),
            test_examples=len(test.targets),
            calibration_error=parity.expected_calibration_error(scores[count:], test.targets),
        )

    def clear(self, proof: Proof) -> np.ndarray:
        margins = np.sort(proof.scores, axis=1)
        between: np.ndarray = margins[:, -1] - margins[:, -2]
        return between

    def test_record(self, proof: Proof) -> dict[str, Any]:
        assert proof.calibration_error is not None
        return {
            "test_accuracy": round(proof.test_scores["accuracy"], 6),
            "calibration_error": round(proof.calibration_error, 6),
        }

    def card_rows(self, manifest: Manifest, proof: Proof) -> list[str]:
        found, beside = manifest.provenance, proof.parity
        assert isinstance(beside, parity.LabelParity)
        return [
            f"| accuracy as deployed | {found['test_accuracy']:.4f} on "
            f"{found['test_examples']:,} test examples |",
            f"| accuracy of the Keras model | {self.run.metrics['test_accuracy']:.4f} on the test "
            "split, as trained |",
            f"| labels equal to Keras's | {beside.equal_labels:.4f} of {beside.examples:,} "
            f"validation examples; {beside.equal_confident:.4f} of the {beside.confident:,} that "
            "Keras is sure of |",
            f"| largest score difference | {beside.largest_score_difference:.4f} |",
            f"| expected calibration error | {found['calibration_error']:.4f} on the test "
            "examples |",
        ]

    def limits(self, manifest: Manifest) -> str:
        return (
            "- It was trained on the data above and knows nothing else: on other kinds of input "
            "its accuracy is\n  unknown, and its scores are not calibrated there.\n"
            f"- {_NEVER if manifest.abstain_below is None else _SELDOM}"
        )

    def outputs(self) -> str:
        labels = self.run.labels
        shown = ", ".join(labels[:5])
        return f"{len(labels)} labels ({shown if len(labels) <= 5 else f'{shown}, ...'})"

    def on_microcontroller(self, files: Mapping[str, MicroResult]) -> dict[str, Any]:
        return {"equal_labels_there": min(one.equal_labels for one in files.values())}

    def to_json(self, manifest: Manifest, proof: Proof) -> dict[str, Any]:
        return {
            "accuracy": proof.test_scores["accuracy"],
            "calibration_error": proof.calibration_error,
            "abstain_below": manifest.abstain_below,
            **super().to_json(manifest, proof),
        }

    def words(self, manifest: Manifest, proof: Proof) -> list[str]:
        beside, unsure = proof.parity, proof.unsure
        assert isinstance(beside, parity.LabelParity)
        lines = [
            f"accuracy as deployed {proof.test_scores['accuracy']:.4f} on "
            f"{proof.test_examples:,} test examples",
            f"beside Keras on {beside.examples:,} validation examples: accuracy "
            f"{beside.keras_accuracy:.4f} to {beside.deployed_accuracy:.4f}, "
            f"{beside.equal_labels:.2%} equal labels, largest score difference "
            f"{beside.largest_score_difference:.3f}",
            *self.unsure_words(proof),
        ]
        there = manifest.verified_on.get("equal_labels_there")
        if there is not None:
            lines.append(f"{there:.0%} of the labels in TensorFlow Lite Micro equal those here")
        if unsure.abstained is not None:
            right = unsure.accuracy_answered
            rest = "" if right is None else f", accuracy {right:.4f} on the others"
            lines.append(f"abstains from {unsure.abstained:.1%} of the validation examples{rest}")
        return lines

    def wanted(self, targets: np.ndarray) -> np.ndarray:
        return targets

    def calibrate(self, scores: np.ndarray, targets: np.ndarray) -> float:
        return parity.fit_temperature(scores, targets)

    def scores(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        return {"accuracy": float(np.mean(outputs.argmax(axis=1) == targets))}

    @staticmethod
    def losses(
        outputs: np.ndarray, wanted: np.ndarray, all_wanted: np.ndarray, temperature: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Negative log-likelihoods of the correct labels, nats; and 1 for each wrong label."""
        logits = outputs / temperature
        shifted = logits - logits.max(axis=1, keepdims=True)
        right = shifted[np.arange(len(wanted)), wanted]
        losses: np.ndarray = np.log(np.exp(shifted).sum(axis=1)) - right
        return losses, (outputs.argmax(axis=1) != wanted).astype(float)

    @staticmethod
    def c_answer(manifest: Manifest) -> CAnswer:
        return replace(
            LABEL,
            defines={
                "TEMPERATURE": single(manifest.temperature),
                "ABSTAIN_BELOW": single(manifest.abstain_below or 0.0),
            },
        )
