"""Classification: experts choose one of the bundle's labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...features import Features
from ...format.manifest import Manifest
from ..access import Access
from ..answer import Answer, Clock, Predictions, softmax
from .base import DeployedScores, Tensor
from .routed_once import RoutedOnce, known_scores

_TINY = 1e-12  # lower bound for probabilities before their logarithm


class Classification(RoutedOnce):
    """Experts output logits of the labels; probabilities of several experts are averaged."""

    name, watched = "classification", True

    def __init__(self, manifest: Manifest, features: Features):
        super().__init__(manifest, features)
        self._labels, self._temperature = manifest.labels, manifest.temperature
        self._abstain_below = manifest.abstain_below

    def answer(
        self,
        arrays: Mapping[str, np.ndarray],
        output: Any,
        first: int,
        clock: Clock,
        experts: tuple[int, ...],
        reason: str | None = None,
    ) -> Answer:
        label = self._labels[output.argmax()]
        return Answer(
            label, first, output, self._temperature, clock, experts, self._abstain_below, reason
        )

    def mean(self, weights: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Average the experts' probabilities, and return logits."""
        probabilities = np.array([softmax(output) for output in outputs])
        mixture: np.ndarray = np.log(np.maximum(weights @ probabilities, _TINY))
        return mixture

    def run_arrays(self, arrays: Mapping[str, np.ndarray], models: Access) -> Predictions:
        return self.predictions(arrays, models)

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """Compute calibrated probabilities from logits."""
        return softmax(outputs, self._temperature)

    def outputs(self) -> list[Tensor]:
        return [
            ("label", "BYTES", ()),
            ("scores", "FP32", (len(self._labels),)),
            ("expert", "INT32", ()),
            ("abstained", "BOOL", ()),
            ("degraded", "BOOL", ()),
        ]

    @staticmethod
    def deployed(manifest: Manifest) -> DeployedScores | None:
        said = manifest.provenance
        scores = {"accuracy": said.get("test_accuracy")}
        return known_scores(scores, said.get("test_examples"), {"accuracy": (0, 1)})

    @staticmethod
    def deployed_score(manifest: Manifest) -> str:
        found = manifest.provenance
        return (
            f"accuracy     {found.get('test_accuracy')} as deployed, on "
            f"{found.get('test_examples')} test examples"
        )
