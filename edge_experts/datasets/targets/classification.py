"""Targets of classification: one label for each example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from .. import class_labels
from ..splitting import assign
from . import Targets, Wanted

_LEAST_ROWS = 10  # least mean number of rows for each label
_INSTEAD = "for numbers to predict (regression) give --task regression"


class ClassTargets:
    """One label for each example, of two labels or more."""

    numbers: tuple[str, ...] = ()

    def claims_columns(self, columns: Sequence[str]) -> bool:
        return "label" in columns

    def claims_cells(self, cells: Sequence[str]) -> bool:
        return False

    def claims_arrays(self, y_train: np.ndarray, y_test: np.ndarray) -> bool:
        return True

    def columns(self, path: Path, columns: Sequence[str]) -> tuple[str, ...]:
        if "label" not in columns:
            raise DataError(
                f"{path}: no column 'label' in its header; found: {', '.join(columns)}. Name the "
                "column of the classes 'label', or one of numbers to predict 'target'"
            )
        return ("label",)

    def cell(self, path: Path, line: int, column: str, text: str) -> Any:
        label = text.strip()
        if not label:
            raise DataError(f"{path}: line {line}: the label is empty")
        return label

    def example(self, path: Path, line: int, row: Mapping[str, str]) -> Any:
        return row.get("text", row)

    def of_rows(
        self,
        name: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        lines: Sequence[int] = (),
    ) -> Wanted:
        cells = [label for (label,) in rows]
        spelled, notes = class_labels.merged(name, cells, lines or range(1, len(cells) + 1))
        labels = tuple(sorted(set(spelled.values())))
        index = {label: place for place, label in enumerate(labels)}
        return Wanted(labels, np.array([index[spelled[cell]] for cell in cells]), notes)

    def of_arrays(
        self, name: str, y_train: np.ndarray, y_test: np.ndarray, labels: Sequence[str] | None
    ) -> tuple[Wanted, Wanted]:
        train, test = _whole(name, "y_train", y_train), _whole(name, "y_test", y_test)
        values = np.unique(np.concatenate([train, test]))
        names = tuple(labels) if labels else tuple(str(value) for value in values)
        if len(names) != len(values):  # the numbers are indices of the names
            if values.min() < 0 or values.max() >= len(names):
                raise DataError(
                    f"{name}: {len(names)} labels for {len(values)} classes, numbered from "
                    f"{values.min()} to {values.max()}; name each class once, that of 0 first"
                )
            return Wanted(names, train), Wanted(names, test)
        return (
            Wanted(names, np.searchsorted(values, train)),
            Wanted(names, np.searchsorted(values, test)),
        )

    def refuse_few(self, name: str, labels: Sequence[str], rows: int) -> None:
        """Reject nearly as many labels as rows: these are measurements rather than classes."""
        if len(labels) > 1 and rows < _LEAST_ROWS * len(labels):
            raise DataError(
                f"{name}: {rows} rows for {len(labels)} labels; at least {_LEAST_ROWS} for each "
                f"are needed. Labels are classes: {_INSTEAD}, or name their column 'target'"
            )

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
        """Assign splits stratified by label."""
        return assign(wishes, targets, seed, draw, groups=groups)

    def check(self, name: str, labels: Sequence[str], splits: Mapping[str, np.ndarray]) -> None:
        """Require two labels or more, each of them in the training split."""
        if len(labels) < 2:
            raise DataError(
                f"{name}: has one class only ({', '.join(labels)}); a classifier needs at least two"
            )
        refuse_untaught(name, labels, splits["train"])

    def title(self, kind: str) -> str:
        return f"{kind} classification"

    def requests(
        self, inputs: Sequence[Any] | np.ndarray, labels: Sequence[str], targets: np.ndarray
    ) -> Sequence[Any] | np.ndarray:
        return inputs


def refuse_untaught(name: str, labels: Sequence[str], train: np.ndarray) -> None:
    """Raise DataError if a label has no training example."""
    missing = set(range(len(labels))) - set(train.tolist())
    if missing:
        raise DataError(f"{name}: the label {labels[min(missing)]!r} has no example to train on")


def _whole(name: str, part: str, y: np.ndarray) -> np.ndarray:
    """Labels, (examples,) int64; a further axis of 1, and whole floats, are accepted too.

    Raises:
        DataError: there is not one whole number for each example.
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise DataError(
            f"{name}: {part} must have one label for each example, got the shape {y.shape}; "
            "for several labels of one example, a row of 0 and 1 each, give --task multi-label; "
            f"{_INSTEAD}"
        )
    # Values that are not finite, or too large for int64, change in the conversion.
    with np.errstate(invalid="ignore"):
        whole = y.astype(np.int64) if y.dtype.kind in "buif" else None
    if whole is None or not np.array_equal(whole, y) or (whole < 0).any() != (y < 0).any():
        raise DataError(
            f"{name}: {part} must hold whole numbers, one label for each example, got {y.dtype}; "
            f"{_INSTEAD}"
        )
    return whole


TARGETS: Targets = ClassTargets()
