"""Parity of translations by the converted files with those of the Keras model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_experts.errors import ThresholdError


@dataclass(frozen=True)
class Routed:
    """Shares of sentences that the router sends to their own expert, and to the same one by both.

    The choice is among the experts of a sentence's language.
    """

    keras: float
    deployed: float
    equal: float
    examples: int


@dataclass(frozen=True)
class TranslationParity:
    """chrF and BLEU of the same validation sentences by Keras and as deployed.

    Attributes:
        same: share of sentences with the same translation by both.
        routed: for a larger number of sentences, if a router picks.
    """

    examples: int
    keras: Mapping[str, float]
    deployed: Mapping[str, float]
    same: float
    routed: Routed | None = None

    @property
    def scores(self) -> Mapping[str, float]:
        return self.deployed

    @property
    def keras_scores(self) -> Mapping[str, float]:
        return self.keras

    def refuse_beyond(self, max_drop: float | None) -> None:
        """Raise ThresholdError if conversion cost more chrF; without a limit, never."""
        drop = self.keras["chrf"] - self.deployed["chrf"]
        if max_drop is not None and drop > max_drop:
            raise ThresholdError(
                f"conversion costs {drop:.2f} chrF, more than the {max_drop:g} allowed; "
                "try --quantization dynamic"
            )

    def refuse_disagreement(self) -> None:
        """Accept any differences: a sentence can be translated in several ways."""
        return

    def to_json(self) -> dict[str, Any]:
        return {
            "keras": dict(self.keras),
            "deployed": dict(self.deployed),
            "same": self.same,
            "examples": self.examples,
        }
