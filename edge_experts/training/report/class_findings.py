"""Insight into a classifier: accuracy of its experts, confusion of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import insight
from .ownership import Owned


class ClassFindings:
    """Findings on held-out examples.

    Args:
        gate: a router's probabilities (examples, experts); None if all experts are summed.
        logits: (experts, examples, labels).
        targets: index of each example's label.
    """

    def __init__(
        self,
        gate: np.ndarray | None,
        logits: np.ndarray,
        targets: np.ndarray,
        labels: Sequence[str],
    ):
        self._gate, self._logits, self._labels = gate, logits, labels
        answers, count = logits.argmax(axis=2), len(labels)
        self._found: insight.Insight | None = None
        self._alone: dict[str, float] = {}
        if gate is None:
            # A dense network has one expert, and nothing more to report.
            together, everyone = logits.sum(axis=0).argmax(axis=1), np.zeros(len(targets), np.int64)
            self._matrices = insight.confusion(everyone, targets, together, 1, count)
            if len(answers) > 1:
                self._alone = insight.alone(answers, targets)
        else:
            self._found = insight.measure(gate, answers, targets, count)
            self._matrices = self._found.confusion

    def to_json(self) -> dict[str, Any]:
        if self._found is not None:
            return self._found.to_json()
        return {name: round(value, 5) for name, value in self._alone.items()}

    def as_text(self, settings: Mapping[str, Any]) -> str:
        if self._found is not None:
            text, warning = insight.as_text(self._found), insight.warning(self._found, settings)
            return text if warning is None else f"{text}\nWarning: {warning}."
        if not self._alone:
            return ""
        return (
            f"The best expert alone is right on {self._alone['best_expert_accuracy']:.4f} of the "
            f"validation examples, some expert on {self._alone['oracle_accuracy']:.4f}"
        )

    def surety(self) -> np.ndarray | None:
        """Probability of the routed expert times that of the answer."""
        if self._gate is None:
            return None
        owner, places = self._gate.argmax(axis=1), np.arange(len(self._gate))
        probabilities = insight.softmax(self._logits[owner, places]).max(axis=1)
        surety: np.ndarray = self._gate.max(axis=1) * probabilities
        return surety

    def draw(self, folder: Path, owned: Owned | None) -> list[Path]:
        from .pictures import draw

        return draw(folder, self._labels, self._matrices, self._found, owned)
