"""Targets of language models: none but the text itself; a label names a document's source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...errors import DataError
from . import Targets, Wanted
from .classification import ClassTargets

_ONLY_TEXT = "a language model is trained on a .txt file, a folder of them, help or prose"


class DocumentTargets(ClassTargets):
    """Documents, each with the name of its language or domain."""

    def claims_columns(self, columns: Sequence[str]) -> bool:
        return False

    def claims_arrays(self, y_train: np.ndarray, y_test: np.ndarray) -> bool:
        return False

    def columns(self, path: Path, columns: Sequence[str]) -> tuple[str, ...]:
        raise DataError(f"{path}: {_ONLY_TEXT}")

    def of_arrays(
        self, name: str, y_train: np.ndarray, y_test: np.ndarray, labels: Sequence[str] | None
    ) -> tuple[Wanted, Wanted]:
        raise DataError(f"{name}: {_ONLY_TEXT}")

    def check(self, name: str, labels: Sequence[str], splits: Mapping[str, np.ndarray]) -> None:
        """Accept every split: a source without documents in one is no fault."""

    def title(self, kind: str) -> str:
        return "language modelling"


TARGETS: Targets = DocumentTargets()
