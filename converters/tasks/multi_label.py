"""Conversion of multi-label classification: experts output a logit of each label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from edge_experts.datasets import Split
from edge_experts.datasets.targets import label_sets
from edge_experts.features import Features
from edge_experts.format.manifest import Manifest, TaskSpec
from edge_experts.run_folder import Run
from edge_experts.runtime.tasks.multi_label import sigmoid, thresholds_of

from ..targets.microcontroller import MicroResult
from ..verify import confidence, set_parity
from ..verify.keras_reference import KerasReference
from ..verify.proof import Deployed, Proof
from .c_answers import LABELS, CAnswer
from .c_literals import listing, single
from .conversion_task import GoldenRows
from .row_conversion import RowConversion


class MultiLabelConversion(RowConversion):
    """Scores are probabilities of labels; each label has a threshold.

    The thresholds are those that are best for Keras's answers to the validation examples, by as
    many experts as the bundle runs; before they are known, those of the training.
    """

    name, primary = "multi-label", "f1_micro"
    networks = "edge_experts.converters.tasks.networks:MultiLabelNetworks"

    def __init__(self, run: Run, features: Features):
        super().__init__(run, features)
        assert run.task_spec is not None, "run.task_type comes from it"
        self._thresholds = np.array(run.task_spec.config["thresholds"], np.float32)
        self._validation = np.zeros((0, len(run.labels)), bool)

    def examples(self, splits: Mapping[str, Split]) -> Any:
        self._validation = splits["validation"].targets
        return super().examples(splits)

    def manifest_parts(self, options: Any, reference: KerasReference) -> Mapping[str, Any]:
        keras = reference.as_deployed(reference.second_below(options.second_share))
        self.calibrate(keras, self._validation)
        thresholds = [float(str(threshold)) for threshold in self._thresholds]
        return {"task_spec": TaskSpec(self.name, {"thresholds": thresholds})}

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
        parity = set_parity.compare(
            reference.as_deployed(manifest.second_below),
            reference.experts,
            scores[:count],
            arrays["experts"],
            validation.targets,
            thresholds_of(manifest),
        )
        return Proof(
            parity=parity,
            unsure=confidence.measure(
                manifest, scores[:count], arrays["asked"], validation.targets
            ),
            temperature=1.0,
            scores=scores[:count],
            arrays=arrays,
            test_scores=self.scores(scores[count:], test.targets),
            test_examples=len(test.targets),
        )

    def clear(self, proof: Proof) -> np.ndarray:
        """Return the distance of the nearest probability from its threshold."""
        nearest: np.ndarray = np.abs(proof.scores - self._thresholds).min(axis=1)
        return nearest

    def golden(self, reference: KerasReference, proof: Proof, manifest: Manifest) -> GoldenRows:
        rows = super().golden(reference, proof, manifest).rows
        # Of the probabilities as they are stored, in float32.
        present = proof.scores[rows].astype(np.float32) >= thresholds_of(manifest)
        return GoldenRows(rows, {"present": present})

    def test_record(self, proof: Proof) -> dict[str, Any]:
        return {"test_scores": dict(proof.test_scores)}

    def card_rows(self, manifest: Manifest, proof: Proof) -> list[str]:
        beside, found = _own(proof), proof.test_scores
        trained = self.run.metrics.get("test_f1_micro")
        always = self.run.metrics.get("same_labels_always_f1_micro")
        return [
            f"| micro-F1 as deployed | {found['f1_micro']:.4f} on {proof.test_examples:,} test "
            "examples |",
            f"| macro-F1 as deployed | {found['f1_macro']:.4f} over the labels that occur there |",
            *(
                []
                if trained is None
                else [f"| micro-F1 of the Keras model | {trained:.4f}, as trained |"]
            ),
            *(
                []
                if always is None
                else [
                    f"| one set of labels for all examples | micro-F1 {always:.4f} at best, on the "
                    "validation examples |"
                ]
            ),
            f"| micro-F1 beside Keras | {beside.keras_f1_micro:.4f} to "
            f"{beside.deployed_f1_micro:.4f} on {beside.examples:,} validation examples |",
            f"| labels equal to Keras's | {beside.equal_labels:.4f} of those that either answers |",
            f"| largest score difference | {beside.largest_score_difference:.4f} |",
        ]

    def limits(self, manifest: Manifest) -> str:
        return (
            "- It was trained on the data above and knows nothing else: on other kinds of input "
            "its F1 is\n  unknown.\n"
            "- It may answer with no label. Each label has its own threshold, chosen on the "
            "validation examples for\n  its F1; a lower one finds more, and is wrong more often."
        )

    def outputs(self) -> str:
        labels = self.run.labels
        shown = ", ".join(labels[:5])
        return f"any of {len(labels)} labels ({shown if len(labels) <= 5 else f'{shown}, ...'})"

    def on_microcontroller(self, files: Mapping[str, MicroResult]) -> dict[str, Any]:
        return {"largest_difference_there": max(one.largest_difference for one in files.values())}

    def to_json(self, manifest: Manifest, proof: Proof) -> dict[str, Any]:
        return {**proof.test_scores, **super().to_json(manifest, proof)}

    def words(self, manifest: Manifest, proof: Proof) -> list[str]:
        beside, found = _own(proof), proof.test_scores
        there = manifest.verified_on.get("largest_difference_there")
        micro = [] if there is None else [f"outputs in TensorFlow Lite Micro differ by {there:.4g}"]
        return [
            f"micro-F1 as deployed {found['f1_micro']:.4f}, macro-F1 {found['f1_macro']:.4f} over "
            f"the labels that occur, on {proof.test_examples:,} test examples",
            f"beside Keras on {beside.examples:,} validation examples: micro-F1 "
            f"{beside.keras_f1_micro:.4f} to {beside.deployed_f1_micro:.4f}, "
            f"{beside.equal_labels:.2%} equal labels, largest score difference "
            f"{beside.largest_score_difference:.3f}",
            *micro,
            *self.unsure_words(proof),
        ]

    def wanted(self, targets: np.ndarray) -> np.ndarray:
        """Return the thresholds, positive where the example has the label and else negative."""
        signed: np.ndarray = np.where(targets, self._thresholds, -self._thresholds)
        return signed

    def of_outputs(self, outputs: np.ndarray) -> np.ndarray:
        return sigmoid(outputs)

    def scores(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
        """Compute scores from probabilities."""
        return label_sets.scores(outputs >= self._thresholds, targets)

    def calibrate(self, scores: np.ndarray, targets: np.ndarray) -> float:
        """Choose the thresholds; a sigmoid's temperature would not change an answer."""
        chosen = label_sets.choose_thresholds(scores, targets)
        self._thresholds = chosen.astype(np.float32)
        return 1.0

    @staticmethod
    def losses(
        outputs: np.ndarray, wanted: np.ndarray, all_wanted: np.ndarray, temperature: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Binary cross-entropies, nats; and wrong labels over twice the mean number of labels.

        One minus the mean of the second is micro-F1 where as many labels are answered as occur, and
        otherwise near it. The bundle that is chosen is measured exactly.
        """
        has, every = wanted > 0, max(1, int((all_wanted > 0).sum()))
        # log(1 + exp(x)), without overflow
        softplus = np.maximum(outputs, 0) + np.log1p(np.exp(-np.abs(outputs)))
        losses: np.ndarray = (softplus - has * outputs).sum(axis=1)
        wrong = ((sigmoid(outputs) >= np.abs(wanted)) != has).sum(axis=1)
        return losses, wrong * (len(all_wanted) / (2 * every))

    @staticmethod
    def c_answer(manifest: Manifest) -> CAnswer:
        values = listing(map(single, thresholds_of(manifest).tolist()))
        return replace(
            LABELS,
            definitions="const float edge_experts_thresholds[EDGE_EXPERTS_LABELS] = {\n"
            f"{values}\n}};\n\n",
        )


def _own(proof: Proof) -> set_parity.MultiLabelParity:
    assert isinstance(proof.parity, set_parity.MultiLabelParity)
    return proof.parity
