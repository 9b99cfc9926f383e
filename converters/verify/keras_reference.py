"""Reference answers of Keras to the validation examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class KerasReference:
    """Answers of the Keras model, in the form of its task.

    Attributes:
        arrays: by name, (examples, ...): "experts", the router's first choice, and "confidence",
            its probability; of tasks with rows of scores "scores", (examples, labels), and
            "second", the scores with the second choice included.
    """

    arrays: Mapping[str, np.ndarray]

    @property
    def scores(self) -> np.ndarray:
        return self.arrays["scores"]

    @property
    def experts(self) -> np.ndarray:
        return self.arrays["experts"]

    @property
    def confidence(self) -> np.ndarray:
        return self.arrays["confidence"]

    def second_below(self, share: float | None) -> float | None:
        """Return the threshold that the confidence of at most this share of examples is below."""
        if share is None:
            return None
        return float(np.quantile(self.confidence.astype(np.float64), share))

    def as_deployed(self, second_below: float | None) -> np.ndarray:
        """Return the scores of a bundle with this threshold, (examples, labels)."""
        if second_below is None or "second" not in self.arrays:
            return self.scores
        unsure = self.confidence < second_below
        return np.where(unsure[:, None], self.arrays["second"], self.scores)

    def distance(self, second_below: float | None) -> np.ndarray:
        """Return the distance of the confidence from that threshold, (examples,)."""
        if second_below is None:
            return np.ones(len(self.confidence))
        return np.abs(self.confidence - second_below)
