"""Multi-label classification: experts say of each label whether the input has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import ManifestError
from ...features import Features
from ...format.manifest import Manifest
from ...format.strict_json import Reader
from ..access import Access
from ..answer import Answer, Clock, Predictions
from .base import SCORE_TOLERANCE, Column, DeployedScores, GoldenAnswer, Tensor
from .routed_once import RoutedOnce, known_scores

SEPARATOR = ";"
NONE = "(no label)"  # text of an answer without labels
_TINY = 1e-7  # lower bound for probabilities, and of their distance to 1, before their logarithm
_FARTHEST = 80.0  # logit beyond which float32's exp would overflow; its probability is 0 or 1
_SCORES = {"f1_micro": (0.0, 1.0), "f1_macro": (0.0, 1.0)}


@dataclass(frozen=True)
class Labels:
    """Labels with their thresholds.

    Attributes:
        thresholds: probability of each label from which it is answered, (labels,) float32.
    """

    names: tuple[str, ...]
    thresholds: np.ndarray

    def answered(self, probabilities: np.ndarray) -> np.ndarray:
        """Compare with the thresholds, (..., labels) bool."""
        found: np.ndarray = probabilities >= self.thresholds
        return found

    def joined(self, present: np.ndarray) -> str:
        """Join the labels that are True, (labels,), in the bundle's order."""
        places = np.flatnonzero(present).tolist()
        return SEPARATOR.join(self.names[place] for place in places) or NONE


class LabelSet(Answer):
    """Labels of an input, possibly none.

    Attributes:
        label: the most probable label, even if its probability is below its threshold.
    """

    __slots__ = ("_labels",)

    def __init__(
        self,
        labels: Labels,
        expert: int,
        output: np.ndarray,
        clock: Clock,
        experts: tuple[int, ...],
        reason: str | None,
    ):
        most = labels.names[output.argmax()]
        super().__init__(most, expert, output, 1.0, clock, experts, None, reason)
        self._labels = labels

    @property
    def scores(self) -> np.ndarray:
        """Probability of each label, in the manifest's order: (labels,) float32."""
        return sigmoid(self._logits)

    @property
    def present(self) -> np.ndarray:
        """True for each answered label, (labels,) bool."""
        return self._labels.answered(self.scores)

    @property
    def labels(self) -> tuple[str, ...]:
        """Answered labels, the most probable first; empty for none."""
        return tuple(self.probabilities)

    @property
    def probabilities(self) -> dict[str, float]:
        """Probabilities of the answered labels, the largest first."""
        scores = self.scores
        places = np.flatnonzero(self._labels.answered(scores))
        places = places[np.argsort(-scores[places], kind="stable")]
        return {self._labels.names[place]: float(scores[place]) for place in places.tolist()}

    @property
    def thresholds(self) -> dict[str, float]:
        """Thresholds of the answered labels, in the same order."""
        names, thresholds = self._labels.names, self._labels.thresholds
        return {name: float(thresholds[names.index(name)]) for name in self.labels}

    @property
    def text(self) -> str:
        """Answered labels in the manifest's order, joined by `;`."""
        return self._labels.joined(self.present)

    def __repr__(self) -> str:
        return f"LabelSet({self.text}, expert={self.expert}{', degraded' * self.degraded})"


class LabelSets(Predictions):
    """Answers to many inputs; `labels` are the most probable ones.

    Attributes:
        present: True for each answered label, (examples, labels) bool.
    """

    present: np.ndarray


class MultiLabel(RoutedOnce):
    """Experts output a logit of each label; probabilities of several experts are averaged.

    Raises:
        ManifestError: `thresholds` in the settings of `task_spec` is not one number from 0 to 1 for
            each label, or the manifest has a threshold to abstain.
    """

    name, watched = "multi-label", True
    parity = (
        Column("equal decisions  ", "equal_labels", ".2%", 18),
        Column("micro-F1: Keras's,", "keras_f1_micro", ".4f", 12),
        Column("deployed", "deployed_f1_micro", ".4f", 9),
    )

    def __init__(self, manifest: Manifest, features: Features):
        super().__init__(manifest, features)
        if manifest.abstain_below is not None:
            raise ManifestError("abstain_below must be null: each label has a threshold")
        self._labels = Labels(manifest.labels, thresholds_of(manifest))

    def answer(
        self,
        arrays: Mapping[str, np.ndarray],
        output: Any,
        first: int,
        clock: Clock,
        experts: tuple[int, ...],
        reason: str | None = None,
    ) -> LabelSet:
        return LabelSet(self._labels, first, output, clock, experts, reason)

    def mean(self, weights: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Average the experts' probabilities, and return logits."""
        mixed = weights @ sigmoid(outputs)
        mixed = np.clip(mixed, _TINY, 1 - _TINY)
        logits: np.ndarray = np.log(mixed) - np.log1p(-mixed)
        return logits

    def run_arrays(self, arrays: Mapping[str, np.ndarray], models: Access) -> LabelSets:
        rows = self.predictions(arrays, models)
        found = LabelSets(*rows)
        found.present = self._labels.answered(rows.scores)
        return found

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """Compute probabilities from logits."""
        return sigmoid(outputs)

    def golden_arrays(self, answers: Sequence[Answer]) -> dict[str, np.ndarray]:
        """Return the answered labels: `present`, (examples, labels) bool."""
        scores = np.array([answer.scores for answer in answers], np.float32)
        return {"present": self._labels.answered(scores.reshape(-1, len(self._labels.names)))}

    def read_golden(self, stored: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
        present = stored["present"]
        if present.shape != (count, len(self._labels.names)) or present.dtype != bool:
            raise ValueError("must hold the labels of each of its examples")
        return {"present": present}

    def golden_difference(self, answer: Answer, wanted: GoldenAnswer) -> str | None:
        """Compare the expert, all probabilities, and the labels by the published ones.

        Published labels follow from published probabilities and the thresholds: otherwise one of
        them was altered after publication. The answered labels are then the same, except for
        probabilities within the tolerance of their threshold.
        """
        labels, present = self._labels, wanted.of_task["present"]
        apart = float(np.abs(answer.scores - wanted.scores).max())
        same = np.array_equal(labels.answered(wanted.scores), present)
        if answer.expert == wanted.expert and same and apart <= SCORE_TOLERANCE:  # false for NaN
            return None
        return (
            f"{answer.text} from expert {answer.expert}, {labels.joined(present)} from expert "
            f"{wanted.expert} was expected (probabilities differ by up to {apart:.3f})"
        )

    def outputs(self) -> list[Tensor]:
        count = len(self._labels.names)
        return [
            ("labels", "BYTES", ()),
            ("present", "BOOL", (count,)),
            ("scores", "FP32", (count,)),
            ("expert", "INT32", ()),
            ("degraded", "BOOL", ()),
        ]

    def tensor(self, name: str, answers: Iterable[Answer]) -> list[Any]:
        """Return the joined labels, or True and False for all labels in the bundle's order."""
        if name == "labels":
            return [
                SEPARATOR.join(answer.labels) for answer in answers if isinstance(answer, LabelSet)
            ]
        if name == "present":
            rows = [self._labels.answered(answer.scores) for answer in answers]
            return [each for row in rows for each in row.tolist()]
        return super().tensor(name, answers)

    @staticmethod
    def deployed(manifest: Manifest) -> DeployedScores | None:
        said = manifest.provenance
        return known_scores(said.get("test_scores"), said.get("test_examples"), _SCORES)

    @staticmethod
    def deployed_score(manifest: Manifest) -> str:
        found = MultiLabel.deployed(manifest)
        if found is None:
            return "micro-F1     not known as deployed"
        told = found.scores
        return (
            f"micro-F1     {told['f1_micro']:.4f} as deployed, on {found.examples} test examples; "
            f"macro-F1 {told['f1_macro']:.4f}"
        )


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Compute 1 / (1 + exp(-x)), float32."""
    powers = np.exp(-np.clip(logits, -_FARTHEST, _FARTHEST))
    probabilities: np.ndarray = (1 / (1 + powers)).astype(np.float32)
    return probabilities


def thresholds_of(manifest: Manifest) -> np.ndarray:
    """Read the thresholds of the labels, (labels,) float32.

    Raises:
        ManifestError: they are not one number from 0 to 1 for each label.
    """
    spec, count = manifest.task_spec, len(manifest.labels)
    reader = Reader({} if spec is None else spec.config, "task_spec: config")
    numbers = reader.items("thresholds", count, count)
    for number in numbers:
        if type(number) not in (int, float) or not 0 <= number <= 1:
            raise reader.error("thresholds", f"must be numbers from 0 to 1, got {number!r:.40}")
    return np.array(numbers, np.float32)
