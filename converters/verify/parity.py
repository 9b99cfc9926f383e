"""Parity of the converted files with the Keras model that they came from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_experts.errors import ThresholdError

MAX_ACCURACY_DROP = 2.0  # points, by default
SURE = 0.2  # the margin between Keras's two best scores from which an input counts as confident
EQUAL = 0.97  # required share of equal labels of confident inputs
ENOUGH = 100  # confident inputs, below which 3 % of them are too few for a judgement


@dataclass(frozen=True)
class ExpertParity:
    """One expert compared with its Keras network, on examples that both routers send to it."""

    expert: int
    examples: int
    equal_labels: float
    largest_score_difference: float
    keras_accuracy: float
    deployed_accuracy: float
    confident: int  # of these, the examples that Keras is confident of
    equal_confident: float  # share of the confident ones with the same label from both


@dataclass(frozen=True)
class LabelParity:
    """Results on the validation examples, by the runtime that the bundle is for."""

    examples: int
    equal_labels: float  # share of examples with the same label from both
    equal_experts: float  # share of examples that both send to the same expert
    largest_score_difference: float  # over all examples and labels, at the same temperature
    keras_accuracy: float
    deployed_accuracy: float
    lost: int  # examples that are correct by Keras and wrong by the converted files
    gained: int  # and the reverse
    confident: int  # examples that Keras is confident of
    equal_confident: float  # share of these with the same label from both
    experts: tuple[ExpertParity, ...] = ()  # those that answered, if one expert answers an example

    @property
    def scores(self) -> dict[str, float]:
        """Return scores as deployed."""
        return {"accuracy": self.deployed_accuracy}

    @property
    def keras_scores(self) -> dict[str, float]:
        return {"accuracy": self.keras_accuracy}

    @property
    def accuracy_drop(self) -> float:
        """Cost of conversion, in points of accuracy (hundredths)."""
        return 100 * (self.keras_accuracy - self.deployed_accuracy)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "accuracy_drop": self.accuracy_drop}

    def refuse_beyond(self, max_accuracy_drop: float | None) -> None:
        """Raise ThresholdError if conversion cost more accuracy than allowed.

        With the default limit, the drop must also be significant: lost - gained beyond two standard
        deviations (McNemar, 1947).
        """
        stated = max_accuracy_drop is not None
        allowed = max_accuracy_drop if max_accuracy_drop is not None else MAX_ACCURACY_DROP
        chance = self.lost - self.gained <= 2 * math.sqrt(self.lost + self.gained)
        if self.accuracy_drop > allowed and (stated or not chance):
            raise ThresholdError(
                f"the converted model loses {self.accuracy_drop:.2f} points of accuracy on "
                f"{self.examples} validation examples ({self.keras_accuracy:.4f} to "
                f"{self.deployed_accuracy:.4f}); --max-accuracy-drop allows {allowed}. "
                "Nothing was written; try another --quantization"
            )

    def refuse_disagreement(self) -> None:
        """Raise ThresholdError if too many labels that Keras is confident of have changed.

        Accuracy does not show it if equally many become correct and wrong, and files so far from
        the trained network will not have its measured properties.
        """
        judged = [("the converted model", self.confident, self.equal_confident)]
        judged += [(f"expert {e.expert}", e.confident, e.equal_confident) for e in self.experts]
        for name, confident, equal in judged:
            if confident >= ENOUGH and equal < EQUAL:
                raise ThresholdError(
                    f"{name} gives another label to {1 - equal:.1%} of the {confident} validation "
                    f"examples that Keras is confident of; {1 - EQUAL:.0%} may differ. Nothing was "
                    "written; try --quantization dynamic, float16 or float32, or judge by accuracy "
                    "alone with --max-accuracy-drop"
                )


def compare(
    keras_scores: np.ndarray,
    keras_experts: np.ndarray,
    scores: np.ndarray,
    experts: np.ndarray,
    targets: np.ndarray,
) -> LabelParity:
    """Compare probabilities (examples, labels) and routes (examples,), Keras's and deployed."""
    keras_labels, labels = keras_scores.argmax(axis=1), scores.argmax(axis=1)
    differences = np.abs(keras_scores - scores).max(axis=1)
    confident, equal = sure(keras_scores), keras_labels == labels

    def of(expert: int) -> ExpertParity:
        own = (keras_experts == expert) & (experts == expert)
        return ExpertParity(
            expert=expert,
            examples=int(own.sum()),
            equal_labels=float(np.mean(keras_labels[own] == labels[own])),
            largest_score_difference=float(differences[own].max()),
            keras_accuracy=float(np.mean(keras_labels[own] == targets[own])),
            deployed_accuracy=float(np.mean(labels[own] == targets[own])),
            confident=int(np.sum(own & confident)),
            equal_confident=_share(equal[own & confident]),
        )

    return LabelParity(
        examples=len(targets),
        equal_labels=float(np.mean(keras_labels == labels)),
        equal_experts=float(np.mean(keras_experts == np.maximum(experts, 0))),
        largest_score_difference=float(differences.max()),
        keras_accuracy=float(np.mean(keras_labels == targets)),
        deployed_accuracy=float(np.mean(labels == targets)),
        lost=int(np.sum((keras_labels == targets) & (labels != targets))),
        gained=int(np.sum((keras_labels != targets) & (labels == targets))),
        confident=int(confident.sum()),
        equal_confident=_share(equal[confident]),
        experts=tuple(of(int(one)) for one in np.unique(keras_experts[keras_experts == experts])),
    )


def sure(scores: np.ndarray) -> np.ndarray:
    """Mark examples of which these probabilities (examples, labels) are confident: (examples,)."""
    best = np.sort(scores, axis=1)
    confident: np.ndarray = best[:, -1] - best[:, -2] >= SURE
    return confident


def _share(which: np.ndarray) -> float:
    """Return the share of true values; 1 if there are no examples."""
    return float(which.mean()) if len(which) else 1.0


def fit_temperature(scores: np.ndarray, targets: np.ndarray) -> float:
    """Fit the softmax temperature that calibrates scores (Guo et al., 2017).

    It minimizes the log loss of `targets` under scores**(1/T), by golden-section search over
    log T: the loss has one minimum there. See https://arxiv.org/abs/1706.04599.
    """
    logits = np.log(np.maximum(scores.astype(np.float64), 1e-12))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        total = np.log(np.exp(scaled - scaled.max(axis=1, keepdims=True)).sum(axis=1))
        right = scaled[np.arange(len(targets)), targets] - scaled.max(axis=1)
        return float(np.mean(total - right))

    return round(float(np.exp(_golden_section(loss, np.log(0.05), np.log(20.0)))), 4)


def at_temperature(scores: np.ndarray, temperature: float) -> np.ndarray:
    powered = np.maximum(scores, 1e-12) ** (1 / temperature)
    rescaled: np.ndarray = powered / powered.sum(axis=1, keepdims=True)
    return rescaled


def expected_calibration_error(scores: np.ndarray, targets: np.ndarray, bins: int = 10) -> float:
    """Compute the mean gap of confidence and accuracy over equal-width bins (Guo et al., 2017)."""
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == targets
    member = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps: Sequence[float] = [
        abs(confidence[member == one].mean() - right[member == one].mean()) * np.mean(member == one)
        for one in np.unique(member)
    ]
    return float(sum(gaps))


def _golden_section(function: Callable[[float], float], low: float, high: float) -> float:
    ratio = (np.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > 1e-4:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return float((low + high) / 2)
