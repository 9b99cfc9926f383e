"""Targets of the task: the outputs that are wanted, as of regression; no data claims it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_experts.datasets.targets import Targets
from edge_experts.datasets.targets.regression import ValueTargets


class Outputs(ValueTargets):
    """One or several numbers for each example."""

    def claims_columns(self, columns: Sequence[str]) -> bool:
        return False

    def claims_arrays(self, y_train: np.ndarray, y_test: np.ndarray) -> bool:
        return False

    def title(self, kind: str) -> str:
        return f"{kind} by two layers"


TARGETS: Targets = Outputs()
