"""Parity of sets of labels by the converted files with those of the Keras model."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_experts.datasets.targets import label_sets
from edge_experts.errors import ThresholdError

MAX_DROP = 2.0  # points of micro-F1, by default
SURE = 0.2  # distance of Keras's probability from the threshold, from which it is confident
OTHERS = 0.03  # share of confident decisions that may differ
ENOUGH = 100  # confident decisions, below which 3 % of them are too few for a judgement


@dataclass(frozen=True)
class ExpertSetParity:
    """One expert compared with its Keras network, on examples that both routers send to it."""

    expert: int
    examples: int
    largest_score_difference: float
    keras_f1_micro: float
    deployed_f1_micro: float
    confident: int
    other_confident: float


@dataclass(frozen=True)
class MultiLabelParity:
    """Results on the validation examples, by the runtime that the bundle is for.

    A decision is on one label of one example. Decisions that both leave out say little where labels
    are rare, so `equal_labels` and `confident` count those that Keras or the files answer.

    Attributes:
        equal_labels: share of equal decisions.
        equal_sets: share of examples with the same labels from both.
        equal_experts: share of examples that both send to the same expert.
        largest_score_difference: of probabilities, over all examples and labels.
        drop_error: standard error of the drop in micro-F1, in points.
        confident: decisions that Keras is confident of.
        other_confident: share of these that differ.
        experts: those that answered, if one expert answers an example.
    """

    examples: int
    equal_labels: float
    equal_sets: float
    equal_experts: float
    largest_score_difference: float
    keras_f1_micro: float
    deployed_f1_micro: float
    keras_f1_macro: float
    deployed_f1_macro: float
    drop_error: float
    confident: int
    other_confident: float
    experts: tuple[ExpertSetParity, ...] = ()

    @property
    def scores(self) -> dict[str, float]:
        return {"f1_micro": self.deployed_f1_micro, "f1_macro": self.deployed_f1_macro}

    @property
    def keras_scores(self) -> dict[str, float]:
        return {"f1_micro": self.keras_f1_micro, "f1_macro": self.keras_f1_macro}

    @property
    def f1_drop(self) -> float:
        """Cost of conversion, in points (hundredths) of micro-F1."""
        return 100 * (self.keras_f1_micro - self.deployed_f1_micro)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "f1_drop": self.f1_drop}

    def refuse_beyond(self, max_drop: float | None) -> None:
        """Raise ThresholdError if conversion cost more points of micro-F1 than allowed.

        The default limit is 2 points, and the drop must then also be beyond two standard errors.
        """
        allowed = MAX_DROP if max_drop is None else max_drop
        significant = max_drop is not None or self.f1_drop > 2 * self.drop_error
        if self.f1_drop > allowed and significant:
            raise ThresholdError(
                f"the converted model loses {self.f1_drop:.2f} points of micro-F1 on "
                f"{self.examples} validation examples ({self.keras_f1_micro:.4f} to "
                f"{self.deployed_f1_micro:.4f}); --max-accuracy-drop allows {allowed}. Nothing was "
                "written; try another --quantization"
            )

    def refuse_disagreement(self) -> None:
        """Raise ThresholdError if too many decisions that Keras is confident of have changed."""
        judged = [("the converted model", self.confident, self.other_confident)]
        judged += [(f"expert {e.expert}", e.confident, e.other_confident) for e in self.experts]
        for name, confident, others in judged:
            if confident >= ENOUGH and others > OTHERS:
                raise ThresholdError(
                    f"{name} changes {others:.1%} of the {confident} labels of validation examples "
                    f"that Keras is confident of; {OTHERS:.0%} may differ. Nothing was written; "
                    "try --quantization dynamic, float16 or float32, or judge by micro-F1 alone "
                    "with --max-accuracy-drop"
                )


def compare(
    keras: np.ndarray,
    keras_experts: np.ndarray,
    scores: np.ndarray,
    experts: np.ndarray,
    targets: np.ndarray,
    thresholds: np.ndarray,
) -> MultiLabelParity:
    """Compare probabilities (examples, labels) and routes (examples,), Keras's and deployed."""
    theirs, ours = keras >= thresholds, scores >= thresholds
    differences = np.abs(keras - scores).max(axis=1, initial=0.0)
    either, other = theirs | ours, theirs != ours
    sure = either & (np.abs(keras - thresholds) >= SURE)
    cost = label_sets.points(theirs, targets) - label_sets.points(ours, targets)

    def of(expert: int) -> ExpertSetParity:
        own = (keras_experts == expert) & (experts == expert)
        return ExpertSetParity(
            expert=expert,
            examples=int(own.sum()),
            largest_score_difference=float(differences[own].max()),
            keras_f1_micro=label_sets.micro(theirs[own], targets[own]),
            deployed_f1_micro=label_sets.micro(ours[own], targets[own]),
            confident=int(sure[own].sum()),
            other_confident=_share(other[own][sure[own]]),
        )

    in_keras, here = label_sets.scores(theirs, targets), label_sets.scores(ours, targets)
    return MultiLabelParity(
        examples=len(targets),
        equal_labels=1 - _share(other[either]),
        equal_sets=float(np.mean(~other.any(axis=1))),
        equal_experts=float(np.mean(keras_experts == np.maximum(experts, 0))),
        largest_score_difference=float(differences.max()),
        keras_f1_micro=in_keras["f1_micro"],
        deployed_f1_micro=here["f1_micro"],
        keras_f1_macro=in_keras["f1_macro"],
        deployed_f1_macro=here["f1_macro"],
        drop_error=float(cost.std() / math.sqrt(len(cost))),
        confident=int(sure.sum()),
        other_confident=_share(other[sure]),
        experts=tuple(of(int(one)) for one in np.unique(keras_experts[keras_experts == experts])),
    )


def _share(which: np.ndarray) -> float:
    """Return the share of true values; 0 if there are none at all."""
    return float(which.mean()) if len(which) else 0.0
