"""Targets of translation: pairs of sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ..splitting import assign
from . import Targets
from .classification import ClassTargets, refuse_untaught


class SentenceTargets(ClassTargets):
    """Pairs of sentences; the label is the language, with the domain if there are several.

    See `edge_experts/datasets/translation/corpus.py`.
    """

    def claims_columns(self, columns: Sequence[str]) -> bool:
        return {"label", "text", "translation"} <= set(columns)

    def claims_arrays(self, y_train: np.ndarray, y_test: np.ndarray) -> bool:
        return False

    def columns(self, path: Path, columns: Sequence[str]) -> tuple[str, ...]:
        if not self.claims_columns(columns):
            raise DataError(
                f"{path}: translations need the columns 'text', 'translation' and 'label', the "
                f"language; found: {', '.join(columns)}"
            )
        return ("label",)

    def example(self, path: Path, line: int, row: Mapping[str, str]) -> Any:
        pair = (row["text"].strip(), row["translation"].strip())
        if not all(pair):
            raise DataError(f"{path}: line {line}: a text and its translation must not be empty")
        return pair

    def assign(
        self,
        wishes: np.ndarray,
        targets: np.ndarray,
        seed: int,
        draw: Sequence[str] = ("test", "validation"),
        *,
        examples: Sequence[Any] | None = None,
        groups: Sequence[str] | None = None,
    ) -> np.ndarray:
        """Assign splits such that equal English sentences are in one split for all languages."""
        if groups is not None:
            return assign(wishes, targets, seed, draw, groups=groups)
        alike = None if examples is None else [source for source, _ in examples]
        return assign(wishes, targets, seed, draw, alike=alike)

    def check(self, name: str, labels: Sequence[str], splits: Mapping[str, np.ndarray]) -> None:
        refuse_untaught(name, labels, splits["train"])

    def title(self, kind: str) -> str:
        return "translation"

    def requests(
        self, inputs: Sequence[Any] | np.ndarray, labels: Sequence[str], targets: np.ndarray
    ) -> Sequence[Any] | np.ndarray:
        """First sentence of each pair, and the name of its label."""
        names = [labels[target] for target in targets]
        return [(source, name) for (source, _), name in zip(inputs, names, strict=True)]


TARGETS: Targets = SentenceTargets()
