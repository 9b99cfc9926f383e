"""State of a site's server, read from its metrics in the text format of Prometheus."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

_LINE = re.compile(r"(edge_experts_\w+)(?:\{[^\n]*\})? (\S+)")


@dataclass(frozen=True)
class ServerState:
    """What a server counted since it began, or since it took the current bundle.

    Attributes:
        answers: number of answers.
        degraded: of them, by another expert than the router's choice.
        quarantined: experts that cannot be used.
        drift: whether inputs differ from the validation data; None where it is not watched.
    """

    answers: int
    degraded: int
    quarantined: int
    drift: bool | None


def read_metrics(text: str) -> ServerState | None:
    """Read the metrics of `edge-experts serve`; None if they are another program's."""
    sums: defaultdict[str, float] = defaultdict(float)
    for line in text.splitlines():
        if found := _LINE.fullmatch(line.strip()):
            value = _number(found[2])
            if math.isfinite(value):
                sums[found[1]] += value
    if not sums:
        return None

    def total(name: str) -> int:
        return round(sums.get(f"edge_experts_{name}", 0.0))

    drift: Any = sums.get("edge_experts_drift")
    return ServerState(
        total("answers_total"),
        total("degraded_total"),
        total("quarantined"),
        None if drift is None else drift > 0,
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
