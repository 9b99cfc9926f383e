"""What a bundle says of an input."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

Clock = tuple[int, int, int, int, int]  # ns: begun, encoded, routed, loaded, answered


class Timings(NamedTuple):
    """Where the time of one answer went, in microseconds."""

    features_us: float
    route_us: float
    load_us: float
    invoke_us: float


class Answer:
    """The label, how sure the model is of it, and where both came from.

    Attributes:
        label: the most probable of the bundle's labels, also where the model abstains.
        expert: the router's first choice of those that can answer; -1 where all are summed.
        experts: all experts that answered, the router's first choice first.
        reason: why it was not the router's own choice that answered; None where it was.
        warnings: sentences on the input that a user should know, such as a category that the
            training never saw; mostly none.
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
        # The rest is worked out when someone asks: code that an answer does not run does not
        # push the next answer's out of a small processor's cache.
        self._logits, self._temperature, self._clock = logits, temperature, clock
        self._abstain_below = abstain_below

    @property
    def warnings(self) -> tuple[str, ...]:
        # Set where there are any: the others must not cost every answer.
        found: tuple[str, ...] = getattr(self, "_warnings", ())
        return found

    @warnings.setter
    def warnings(self, sentences: Iterable[str]) -> None:
        self._warnings = tuple(dict.fromkeys(sentences))

    @property
    def text(self) -> str:
        """The answer as a text: the label."""
        return self.label

    @property
    def tokens(self) -> int | None:
        """How many tokens were written; None where a label was chosen."""
        return None

    @property
    def first_us(self) -> float | None:
        """Microseconds from the question to the first token; None likewise."""
        return None

    @property
    def score(self) -> float:
        """The label's probability, calibrated on validation data."""
        return float(self.scores.max())

    @property
    def scores(self) -> np.ndarray:
        """One probability for each label, in the manifest's order: (labels,) float32."""
        return softmax(self._logits, self._temperature)

    @property
    def abstained(self) -> bool:
        """Whether the score is under the bundle's `abstain_below`: better ask someone else."""
        return self._abstain_below is not None and self.score < self._abstain_below

    @property
    def degraded(self) -> bool:
        """Whether an expert that the router chose could not be used; `reason` tells why."""
        return self.reason is not None

    @property
    def timings(self) -> Timings:
        return Timings(*((end - start) / 1000 for start, end in itertools.pairwise(self._clock)))

    def __repr__(self) -> str:
        told = f"label={self.label!r}, score={self.score:.4f}, expert={self.expert}"
        marks = ", abstained" * self.abstained + ", degraded" * self.degraded
        return f"Answer({told}{marks})"


class Predictions(NamedTuple):
    """The answers to many inputs, a row each, in their order.

    Attributes:
        labels: indices of the most probable labels, (examples,) integers.
        scores: probabilities of all labels, (examples, labels) float32.
        experts: the first that answered, (examples,) integers; -1 where all are summed.
        degraded: whether an expert that the router chose could not be used, (examples,) bool.
    """

    labels: np.ndarray
    scores: np.ndarray
    experts: np.ndarray
    degraded: np.ndarray


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """exp(x / T) / sum(exp(x / T)) over the last axis, float32."""
    powers = np.exp((logits - logits.max(axis=-1, keepdims=True)) / temperature)
    probabilities: np.ndarray = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
    return probabilities


def first_probability(logits: np.ndarray, first: int) -> float:
    """softmax(logits)[first] of the largest logit, without working out the others."""
    return 1 / float(np.exp(logits - logits[first]).sum())
