"""Scores of anomaly detection: AUROC, detection rate and false-alarm rate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_LEAST = 1e-6  # threshold, as a multiple of the normal error


def auroc(scores: np.ndarray, anomalous: np.ndarray) -> float | None:
    """Area under the receiver operating characteristic.

    It is the probability that an anomalous example has a higher score than a normal one, where
    equal scores count half (Mann & Whitney, 1947). None if one of the two kinds is missing.

    Args:
        scores: (examples,); higher is more anomalous.
        anomalous: (examples,) bool.
    """
    odd, normal = scores[anomalous], np.sort(scores[~anomalous])
    if not len(odd) or not len(normal):
        return None
    below = np.searchsorted(normal, odd, "left") + np.searchsorted(normal, odd, "right")
    return float(below.mean() / (2 * len(normal)))


def detection_scores(scores: np.ndarray, anomalous: np.ndarray) -> dict[str, Any]:
    """Scores of examples whose score is above 1 if they are answered as anomalous.

    Args:
        scores: (examples,); the error as a multiple of its threshold.
        anomalous: (examples,) bool, by the labels.

    Returns:
        "auroc"; "detection_rate", the share of anomalous examples that are found; and
        "false_alarm_rate", the share of normal ones that are answered as anomalous. None where the
        examples have none of that kind.
    """
    alarms = scores > 1

    def share(of: np.ndarray) -> float | None:
        return round(float(alarms[of].mean()), 6) if of.any() else None

    area = auroc(scores, anomalous)
    return {
        "auroc": None if area is None else round(area, 6),
        "detection_rate": share(anomalous),
        "false_alarm_rate": share(~anomalous),
    }


def thresholds_of(errors: np.ndarray, regimes: np.ndarray, count: int, share: float) -> np.ndarray:
    """Error of each regime that a new normal example exceeds with at most this probability.

    It is a rank of the errors of normal examples that no network was trained on: the split
    conformal threshold (Vovk, Gammerman & Shafer, 2005, Algorithmic learning in a random world). A
    regime with too few examples for its own rank gets the threshold of all examples together, whose
    errors are multiples of their regime's normal ones.

    Args:
        errors: (examples,), by `Deviations.errors_of`.
        regimes: regime of each, (examples,).
        count: number of regimes.
        share: probability of a false alarm, above 0.

    Returns:
        (regimes,) float64.
    """
    together = _rank(errors, share)
    if together is None:
        together = float(errors.max())
    own = [_rank(errors[regimes == regime], share) for regime in range(count)]
    found = np.array([together if one is None else one for one in own])
    return np.maximum(found, _LEAST)


def enough_for(share: float) -> int:
    """Number of normal examples from which a rank of their errors keeps this share."""
    return math.ceil(1 / share) - 1


def _rank(errors: np.ndarray, share: float) -> float | None:
    place = math.ceil((len(errors) + 1) * (1 - share))
    return float(np.sort(errors)[place - 1]) if 0 < place <= len(errors) else None
