"""Targets of language models: none but the text itself; a label names a document's source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from . import Targets
from .classification import ClassTargets


class DocumentTargets(ClassTargets):
    """Documents, each with the name of its language or domain."""

    def claims_columns(self, columns: Sequence[str]) -> bool:
        return False

    def claims_arrays(self, y_train: np.ndarray, y_test: np.ndarray) -> bool:
        return False

    def check(self, name: str, labels: Sequence[str], splits: Mapping[str, np.ndarray]) -> None:
        """Accept every split: a source without documents in one is no fault."""

    def title(self, kind: str) -> str:
        return "language modelling"


TARGETS: Targets = DocumentTargets()
