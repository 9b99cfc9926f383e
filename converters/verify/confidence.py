"""Rates of abstention and of second experts, and the accuracy that results."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_experts.format.manifest import Manifest
from edge_experts.run_folder import Run


@dataclass(frozen=True)
class Unsure:
    """Rates on the validation examples, as deployed; None if the bundle has no such threshold."""

    asked_second: float | None  # share for which the router's second choice ran too
    abstained: float | None  # share without an answer
    accuracy_answered: float | None  # on the others; None also if there are none

    def to_json(self) -> dict[str, float]:
        """Format the rates that were measured."""
        return {key: round(value, 6) for key, value in asdict(self).items() if value is not None}


def measure(
    manifest: Manifest, scores: np.ndarray, asked: np.ndarray, targets: np.ndarray
) -> Unsure:
    """Measure the effect of the manifest's thresholds.

    Args:
        scores: calibrated, (examples, labels).
        asked: the number of experts that answered each, (examples,).
        targets: the correct labels, (examples,).
    """
    asked_second = None if manifest.second_below is None else float(np.mean(asked > 1))
    if manifest.abstain_below is None:
        return Unsure(asked_second, None, None)
    answered = scores.max(axis=1) >= manifest.abstain_below
    right = scores.argmax(axis=1)[answered] == targets[answered]
    return Unsure(
        asked_second,
        abstained=float(np.mean(~answered)),
        accuracy_answered=float(right.mean()) if len(right) else None,
    )


def macs(run: Run, asked_second: float | None) -> dict[str, Any]:
    """Return the run's multiply-adds; `active` is the average of an input as deployed."""
    counted = dict(run.metrics.get("macs") or {})
    if counted and run.combine == "top" and run.experts > 1:
        experts = run.top_k + (asked_second or 0.0)
        counted["active"] = counted["router"] + round(experts * counted["expert"])
    return counted
