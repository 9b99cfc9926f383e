"""Answer of a bundle to one input, with its scores, experts and timings."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

Clock = tuple[int, int, int, int, int]  # ns: started, encoded, routed, loaded, answered


class Timings(NamedTuple):
    """Time of each part of one answer, in microseconds."""

    features_us: float
    route_us: float
    load_us: float
    invoke_us: float


class Answer:
    """Label, scores and origin of one answer.

    Attributes:
        label: the most probable of the bundle's labels, even if the model abstains.
        expert: the router's first choice among the available experts; -1 if all are summed.
        experts: all experts that answered, the router's first choice first.
        reason: cause of the fallback; None if the router's own choice answered.
        warnings: sentences about the input for the user, such as a category that the training data
            did not contain; usually none.
    """

    __slots__ = (
        "_abstain_below",
        "_clock",
        "_logits",
        "_temperature",
        "_warnings",
        "expert",
        "experts",
        "label",
        "reason",
    )

    def __init__(
        self,
        label: str,
        expert: int,
        logits: np.ndarray,
        temperature: float,
        clock: Clock,
        experts: tuple[int, ...],
        abstain_below: float | None = None,
        reason: str | None = None,
    ):
        self.label, self.expert, self.experts, self.reason = label, expert, experts, reason
        # Scores are computed on demand: code that an answer does not run does not evict the next
        # answer's code from a small processor's cache.
        self._logits, self._temperature, self._clock = logits, temperature, clock
        self._abstain_below = abstain_below

    @property
    def warnings(self) -> tuple[str, ...]:
        # Set only if there are any, so that other answers do not pay for it.
        found: tuple[str, ...] = getattr(self, "_warnings", ())
        return found

    @warnings.setter
    def warnings(self, sentences: Iterable[str]) -> None:
        self._warnings = tuple(dict.fromkeys(sentences))

    @property
    def text(self) -> str:
        """Answer as a text: the label."""
        return self.label

    @property
    def tokens(self) -> int | None:
        """Number of generated tokens; None for tasks that choose a label."""
        return None

    @property
    def prompt_tokens(self) -> int | None:
        """Number of the input's tokens; None for tasks without a prompt."""
        return None

    @property
    def first_us(self) -> float | None:
        """Microseconds from the input to the first token; None for tasks that choose a label."""
        return None

    @property
    def score(self) -> float:
        """Probability of the label, calibrated on validation data."""
        return float(self.scores.max())

    @property
    def scores(self) -> np.ndarray:
        """Probability of each label, in the manifest's order: (labels,) float32."""
        return softmax(self._logits, self._temperature)

    @property
    def abstained(self) -> bool:
        """True if the score is below the bundle's confidence threshold, `abstain_below`."""
        return self._abstain_below is not None and self.score < self._abstain_below

    @property
    def degraded(self) -> bool:
        """True if an expert that the router chose could not be used; `reason` holds the cause."""
        return self.reason is not None

    @property
    def timings(self) -> Timings:
        return Timings(*((end - start) / 1000 for start, end in itertools.pairwise(self._clock)))

    def __repr__(self) -> str:
        told = f"label={self.label!r}, score={self.score:.4f}, expert={self.expert}"
        marks = ", abstained" * self.abstained + ", degraded" * self.degraded
        return f"Answer({told}{marks})"


class Predictions(NamedTuple):
    """Answers to many inputs, one row each, in the order of the inputs.

    Attributes:
        labels: indices of the most probable labels, (examples,) integers.
        scores: probabilities of all labels, (examples, labels) float32.
        experts: the first expert that answered, (examples,) integers; -1 if all are summed.
        degraded: True if an expert that the router chose could not be used, (examples,) bool.
    """

    labels: np.ndarray
    scores: np.ndarray
    experts: np.ndarray
    degraded: np.ndarray


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Compute exp(x / T) / sum(exp(x / T)) over the last axis, float32."""
    powers = np.exp((logits - logits.max(axis=-1, keepdims=True)) / temperature)
    probabilities: np.ndarray = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
    return probabilities


def first_probability(logits: np.ndarray, first: int) -> float:
    """Compute softmax(logits)[first] of the largest logit, without the other probabilities."""
    return 1 / float(np.exp(logits - logits[first]).sum())
