"""Insight into a model that predicts values: R2 and error of its experts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets.targets.regression_scores import scores
from .insight import use_of, warning
from .ownership import Owned
from .value_insight import ValueInsight


class ValueFindings:
    """Findings on held-out examples.

    Args:
        gate: a router's probabilities (examples, experts); None if all experts are summed.
        values: (experts, examples, outputs), in the data's units.
        total: (examples, outputs), sum of all experts; used without a router.
        targets: (examples, outputs), in the data's units.
        scale: divisor of the errors of each output, to make them comparable.
    """

    def __init__(
        self,
        gate: np.ndarray | None,
        values: np.ndarray,
        total: np.ndarray,
        targets: np.ndarray,
        names: Sequence[str],
        scale: np.ndarray,
    ):
        self._gate, self._targets, self._names = gate, targets, names
        self._found: ValueInsight | None = None
        self._alone: dict[str, float] = {}
        squares = (((values - targets) / scale) ** 2).mean(axis=2)  # (experts, examples)
        rows = np.arange(len(targets))

        def r2(predicted: np.ndarray) -> float:
            return float(scores(predicted, targets, names)["r2"])

        best, oracle = max(map(r2, values)), r2(values[squares.argmin(axis=0), rows])
        self._predicted = total
        if gate is not None:
            owner = gate.argmax(axis=1)
            self._predicted = values[owner, rows]
            counts = np.bincount(owner, minlength=len(values))
            errors = ((self._predicted - targets) ** 2).mean(axis=1)
            sums = np.bincount(owner, errors, len(values))
            self._found = ValueInsight(
                **use_of(gate),
                picked_r2=r2(self._predicted),
                oracle_r2=oracle,
                best_expert_r2=best,
                expert_rmse=np.sqrt(sums / np.where(counts, counts, np.nan)),
            )
        elif len(values) > 1:
            self._alone = {"best_expert_r2": best, "oracle_r2": oracle}

    def to_json(self) -> dict[str, Any]:
        if self._found is not None:
            return self._found.to_json()
        return {name: round(value, 5) for name, value in self._alone.items()}

    def as_text(self, settings: Mapping[str, Any]) -> str:
        found = self._found
        if found is not None:
            cells = ["-" if np.isnan(one) else f"{one:.6g}" for one in found.expert_rmse]
            text = "\n".join(
                [
                    *found.table("root mean squared error on its own", cells),
                    f"  The routed expert has an R2 of {found.picked_r2:.4f}, the best one alone "
                    f"{found.best_expert_r2:.4f}; a perfect router would have {found.oracle_r2:.4f}"
                    f", {100 * found.oracle_gap:.1f} points more.",
                ]
            )
            collapsed = warning(found, settings)
            return text if collapsed is None else f"{text}\nWarning: {collapsed}."
        if not self._alone:
            return ""
        return (
            f"The best expert alone has an R2 of {self._alone['best_expert_r2']:.4f} on the "
            f"validation examples, the best one of each example {self._alone['oracle_r2']:.4f}"
        )

    def surety(self) -> np.ndarray | None:
        """Probability of the routed expert."""
        return None if self._gate is None else self._gate.max(axis=1)

    def draw(self, folder: Path, owned: Owned | None) -> list[Path]:
        from .pictures import draw_values

        owner = None if self._gate is None else self._gate.argmax(axis=1)
        return draw_values(
            folder, self._names, self._predicted, self._targets, owner, self._found, owned
        )
