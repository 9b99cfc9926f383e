"""Use and error of the experts of a model that predicts values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .insight import Use


@dataclass(frozen=True, eq=False)
class ValueInsight(Use):
    """Insight into a router and N experts that predict values; errors are in the data's units.

    The oracle is a router that always picks the expert with the smallest squared error.
    """

    picked_r2: float  # of the routed expert
    oracle_r2: float
    best_expert_r2: float  # of the best expert alone, on all inputs
    expert_rmse: np.ndarray  # (experts,) on the inputs it owns; NaN if it owns none

    @property
    def oracle_gap(self) -> float:
        """Gain in R2 of a perfect router."""
        return self.oracle_r2 - self.picked_r2

    def to_json(self) -> dict[str, Any]:
        names = ("router_entropy", "usage_entropy", "picked_r2", "oracle_r2", "best_expert_r2")
        return {
            **{name: round(getattr(self, name), 5) for name in (*names, "oracle_gap")},
            "expert_rmse": [
                None if np.isnan(one) else round(float(one), 6) for one in self.expert_rmse
            ],
            "dead_experts": self.dead,
            "collapsed": self.collapsed,
        }
