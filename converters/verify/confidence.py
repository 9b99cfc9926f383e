"""How often a bundle is unsure of its answers, and what that costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_experts.format.manifest import Manifest
from edge_experts.run_folder import Run


@dataclass(frozen=True)
class Unsure:
    """Of the validation examples, as deployed; None where the bundle has no such threshold."""

    asked_second: float | None  # share for which the router's second choice was asked too
    abstained: float | None  # share without an answer
    accuracy_answered: float | None  # on the others; None also where there are none

    def to_json(self) -> dict[str, float]:
        """What was measured."""
        return {key: round(value, 6) for key, value in asdict(self).items() if value is not None}


def measure(
    manifest: Manifest, scores: np.ndarray, asked: np.ndarray, targets: np.ndarray
) -> Unsure:
    """What the manifest's thresholds come to.

    Args:
        scores: calibrated, (examples, labels).
        asked: how many experts answered each, (examples,).
        targets: the right labels, (examples,).
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
    """The run's multiply-adds, `active` being what an input takes as deployed, on average."""
    counted = dict(run.metrics.get("macs") or {})
    if counted and run.combine == "top" and run.experts > 1:
        experts = run.top_k + (asked_second or 0.0)
        counted["active"] = counted["router"] + round(experts * counted["expert"])
    return counted
