"""Insight into a model of normal examples: its regimes, their thresholds and false alarms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...runtime.tasks.deviations import Deviations
from .insight import Use, use_of
from .ownership import Owned
from .pictures import draw_values


class AnomalyFindings:
    """Findings on normal validation examples.

    Args:
        gate: a router's probabilities (examples, experts); None with one expert.
        outputs: (experts, examples, outputs), standardized.
        x: the examples, (examples, outputs).
        figures: scores of the whole model, for run.json.
    """

    def __init__(
        self,
        gate: np.ndarray | None,
        outputs: np.ndarray,
        x: np.ndarray,
        deviations: Deviations,
        figures: Mapping[str, Any],
    ):
        self._gate, self._x, self._deviations, self._figures = gate, x, deviations, figures
        rows = np.arange(len(x))
        self._owner = np.zeros(len(x), int) if gate is None else gate.argmax(axis=1)
        self._predicted = outputs[self._owner, rows]
        self._alarms = deviations.scores(x, self._predicted, self._owner) > 1

    def to_json(self) -> dict[str, Any]:
        regimes = [
            {
                "examples": int(own.sum()),
                "threshold": round(float(threshold), 6),
                "false_alarm_rate": None if alarms is None else round(alarms, 6),
            }
            for regime, threshold in enumerate(self._deviations.thresholds)
            for own in [self._owner == regime]
            for alarms in [float(self._alarms[own].mean()) if own.any() else None]
        ]
        return {**self._figures, "regimes": regimes}

    def as_text(self, settings: Mapping[str, Any]) -> str:
        if self._gate is None:
            return ""
        cells = [f"{threshold:.4g}" for threshold in self._deviations.thresholds]
        return "\n".join(Use(**use_of(self._gate)).table("threshold of the regime", cells))

    def surety(self) -> np.ndarray | None:
        """Probability of the routed expert."""
        return None if self._gate is None else self._gate.max(axis=1)

    def draw(self, folder: Path, owned: Owned | None) -> list[Path]:
        owner = None if self._gate is None else self._owner
        names = self._deviations.names
        return draw_values(folder, names, self._predicted, self._x, owner, None, owned)
