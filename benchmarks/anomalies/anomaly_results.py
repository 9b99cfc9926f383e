"""Results of ways to detect anomalies, and their summary."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_experts.benchmarking.measure.intervals import student_t

EXPERTS, ACTIVE, ALL = "experts by regime", "one autoencoder, active size", "one, total size"
MAHALANOBIS, EUCLID = "Mahalanobis distance", "standardized Euclidean distance"
MODELS = (EXPERTS, ACTIVE, ALL, MAHALANOBIS, EUCLID)


@dataclass(frozen=True)
class Result:
    """Scores of one model on the test examples of one seed.

    Attributes:
        macs, parameters: None for distances.
    """

    set: str
    model: str
    seed: int
    auroc: float
    detection_rate: float
    false_alarm_rate: float
    macs: int | None = None
    parameters: int | None = None


def summary(results: Sequence[Result]) -> list[dict[str, Any]]:
    """One row for each set and model: means over seeds, and the difference of the experts.

    The interval is that of the mean of the differences by seed, 95 %, by Student's t.
    """
    rows = []
    for name in dict.fromkeys(one.set for one in results):
        own = [one for one in results if one.set == name]
        experts = {one.seed: one.auroc for one in own if one.model == EXPERTS}
        for model in MODELS:
            by_seed = [one for one in own if one.model == model]
            gained = [experts[one.seed] - one.auroc for one in by_seed]
            rows.append(
                {
                    "set": name,
                    "model": model,
                    "auroc": statistics.mean(one.auroc for one in by_seed),
                    "auroc_by_seed": [one.auroc for one in by_seed],
                    "detection_rate": statistics.mean(one.detection_rate for one in by_seed),
                    "false_alarm_rate": statistics.mean(one.false_alarm_rate for one in by_seed),
                    "macs": by_seed[0].macs,
                    "parameters": by_seed[0].parameters,
                    "gain_of_experts": None if model == EXPERTS else statistics.mean(gained),
                    "interval": None if model == EXPERTS else _interval(gained),
                }
            )
    return rows


def as_table(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    head = ["set", "model", "AUROC", "found", "false alarms", "MACs", "parameters"]
    table = [[*head, "experts' gain", "95 %"]]
    for row in rows:
        gain, interval = row["gain_of_experts"], row["interval"]
        table.append(
            [
                row["set"],
                row["model"],
                f"{row['auroc']:.4f}",
                f"{row['detection_rate']:.1%}",
                f"{row['false_alarm_rate']:.2%}",
                *("-" if row[key] is None else f"{row[key]:,}" for key in ("macs", "parameters")),
                "-" if gain is None else f"{gain:+.4f}",
                "-" if interval is None else f"{interval[0]:+.4f} to {interval[1]:+.4f}",
            ]
        )
    return table


def _interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % confidence interval of a mean; None for one value."""
    if len(values) < 2:
        return None
    half = student_t(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.mean(values)
    return mean - half, mean + half
