"""Insight into a multi-label model: F1 of its experts and labels, and of one set for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets.targets import label_sets
from .insight import Use, use_of, warning
from .ownership import Owned


@dataclass(frozen=True, eq=False)
class SetInsight(Use):
    """Insight into a router and N experts that answer with sets of labels.

    The oracle is a router whose picks have the best micro-F1.
    """

    picked_f1: float  # micro-F1 of the routed expert
    oracle_f1: float
    best_expert_f1: float  # of the best expert alone, on all inputs
    expert_f1: np.ndarray  # (experts,) on the inputs it owns; NaN if it owns none

    @property
    def oracle_gap(self) -> float:
        """Gain in micro-F1 of a perfect router."""
        return self.oracle_f1 - self.picked_f1

    def to_json(self) -> dict[str, Any]:
        names = ("router_entropy", "usage_entropy", "picked_f1", "oracle_f1", "best_expert_f1")
        return {
            **{name: round(getattr(self, name), 5) for name in (*names, "oracle_gap")},
            "expert_f1": [
                None if np.isnan(one) else round(float(one), 5) for one in self.expert_f1
            ],
            "dead_experts": self.dead,
            "collapsed": self.collapsed,
        }


class SetFindings:
    """Findings on held-out examples.

    Args:
        gate: a router's probabilities (examples, experts); None if all experts are summed.
        answered: labels by each expert, (experts, examples, labels) bool.
        together: labels by the sum of all experts, (examples, labels); used without a router.
        wanted: labels of the examples, (examples, labels) bool.
    """

    def __init__(
        self,
        gate: np.ndarray | None,
        answered: np.ndarray,
        together: np.ndarray,
        wanted: np.ndarray,
        labels: Sequence[str],
    ):
        self._gate, self._wanted, self._labels = gate, wanted, labels
        self._answered, self._found = together, None
        self._always = label_sets.same_always(wanted)
        if gate is not None:
            owner, rows = gate.argmax(axis=1), np.arange(len(wanted))
            self._answered = answered[owner, rows]
            self._found = SetInsight(
                **use_of(gate),
                picked_f1=label_sets.micro(self._answered, wanted),
                oracle_f1=oracle(answered, wanted),
                best_expert_f1=max(label_sets.micro(one, wanted) for one in answered),
                expert_f1=np.array(
                    [
                        label_sets.micro(one[owner == place], wanted[owner == place])
                        if (owner == place).any()
                        else np.nan
                        for place, one in enumerate(answered)
                    ]
                ),
            )

    def to_json(self) -> dict[str, Any]:
        own = {} if self._found is None else self._found.to_json()
        return {**own, "same_labels_always_f1_micro": round(self._always, 5)}

    def as_text(self, settings: Mapping[str, Any]) -> str:
        found = self._found
        always = (
            f"The best set of labels for all examples alike has a micro-F1 of {self._always:.4f}, "
            f"the model {label_sets.micro(self._answered, self._wanted):.4f} (validation examples)"
        )
        if found is None:
            return always
        cells = ["-" if np.isnan(one) else f"{one:.4f}" for one in found.expert_f1]
        text = "\n".join(
            [
                *found.table("micro-F1 on its own", cells),
                f"  The routed expert has a micro-F1 of {found.picked_f1:.4f}, the best one alone "
                f"{found.best_expert_f1:.4f}; a perfect router would have {found.oracle_f1:.4f}, "
                f"{100 * found.oracle_gap:.1f} points more.",
                always,
            ]
        )
        collapsed = warning(found, settings)
        return text if collapsed is None else f"{text}\nWarning: {collapsed}."

    def surety(self) -> np.ndarray | None:
        """Probability of the routed expert."""
        return None if self._gate is None else self._gate.max(axis=1)

    def draw(self, folder: Path, owned: Owned | None) -> list[Path]:
        from .pictures import draw_sets

        counts = self._wanted.sum(axis=0)
        each = label_sets.by_label(self._answered, self._wanted)
        found = self._found
        use = None if found is None else (found.usage, found.expert_f1)
        return draw_sets(folder, self._labels, counts, each, use, owned)


def oracle(answered: np.ndarray, wanted: np.ndarray) -> float:
    """Compute the micro-F1 of the best choice of an expert for each example.

    The best ratio of two sums, by Dinkelbach's algorithm (1967, On nonlinear fractional
    programming): each round maximizes the numerator minus the last ratio times the denominator.

    Args:
        answered: labels by each expert, (experts, examples, labels) bool.
        wanted: (examples, labels) bool.
    """
    both = 2 * (answered & wanted).sum(axis=2)
    sizes = answered.sum(axis=2) + wanted.sum(axis=1)
    rows, best = np.arange(len(wanted)), -1.0
    while True:
        picked = (both - max(best, 0.0) * sizes).argmax(axis=0)
        found = label_sets.micro(answered[picked, rows], wanted)
        if found <= best:
            return best
        best = found
