"""Targets of anomaly detection: whether an example is normal or anomalous.

Only normal examples are trained on. Anomalous ones, if the data has any, are test examples.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from .. import class_labels
from ..splitting import assign
from . import Targets, Wanted

LABELS = ("normal", "anomalous")
NORMAL, ANOMALOUS = 0, 1
# Labels that mean "normal", in any case; all others mean "anomalous".
NORMAL_WORDS = ("normal", "ok", "good", "healthy", "nominal", "inlier", "no", "false", "0")
_LEAST_ROWS = 30  # normal rows: for regimes, thresholds and a test


class AnomalyTargets:
    """Index in `LABELS` of each example, (examples,) int64.

    In a run folder they are numbers instead, (examples, outputs + 1) float64: the encoded example,
    which its expert reconstructs, and the index last.

    Args:
        normal: labels of normal rows, as they are written; by default `NORMAL_WORDS`, in any case.
    """

    numbers: tuple[str, ...] = ()

    def __init__(self, normal: Sequence[str] = ()):
        self._normal = tuple(normal)

    def named(self, normal: Sequence[str]) -> AnomalyTargets:
        return AnomalyTargets(normal)

    def claims_columns(self, columns: Sequence[str]) -> bool:
        return False

    def claims_cells(self, cells: Sequence[str]) -> bool:
        return False

    def claims_arrays(self, y_train: np.ndarray, y_test: np.ndarray) -> bool:
        return False

    def columns(self, path: Path, columns: Sequence[str]) -> tuple[str, ...]:
        """The column `label`; none if all rows are normal."""
        return ("label",) if "label" in columns else ()

    def cell(self, path: Path, line: int, column: str, text: str) -> Any:
        label = text.strip()
        if not label:
            raise DataError(
                f"{path}: line {line}: the label is empty; write 'normal' or 'anomalous'"
            )
        return label

    def example(self, path: Path, line: int, row: Mapping[str, str]) -> Any:
        if "text" in row:
            raise DataError(
                f"{path}: has a column 'text'; anomaly detection is for numbers and categories. "
                "Leave the column out: --drop text"
            )
        return row

    def of_rows(
        self,
        name: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        lines: Sequence[int] = (),
    ) -> Wanted:
        if not columns:
            if self._normal:
                raise DataError(
                    f"{name}: has no column 'label', whose values --normal-label names; name the "
                    "column by --label-column"
                )
            return Wanted(LABELS, np.zeros(len(rows), np.int64))
        cells = [label for (label,) in rows]
        spelled, notes = class_labels.merged(name, cells, lines or range(1, len(cells) + 1))
        counts = Counter(spelled[cell] for cell in cells)
        odd = {label for label in counts if not self._is_normal(label)}
        if len(odd) == len(counts) and (len(counts) > 1 or self._normal):
            words = ", ".join(self._normal or NORMAL_WORDS)
            raise DataError(
                f"{name}: none of the labels {', '.join(map(repr, sorted(odd))):.200} means a "
                f"normal row ({words:.200}); name those that do: --normal-label LABEL"
            )
        targets = np.array([int(spelled[cell] in odd) for cell in cells], np.int64)
        if odd:
            told = ", ".join(f"{label!r} {counts[label]:,}" for label in sorted(odd))
            notes = (
                *notes,
                f"{int(targets.sum()):,} of {len(targets):,} rows are anomalous, by their labels "
                f"({told:.200}); none of them is trained on",
            )
        return Wanted(LABELS, targets, notes, held_out=targets == ANOMALOUS)

    def _is_normal(self, label: str) -> bool:
        if self._normal:
            return _composed(label) in map(_composed, self._normal)
        return label.casefold() in NORMAL_WORDS

    def of_arrays(
        self, name: str, y_train: np.ndarray, y_test: np.ndarray, labels: Sequence[str] | None
    ) -> tuple[Wanted, Wanted]:
        found = []
        for part, y in (("y_train", y_train), ("y_test", y_test)):
            whole = y.ndim == 1 and y.dtype.kind in "bui"
            if not whole or not np.isin(y, (NORMAL, ANOMALOUS)).all():
                raise DataError(
                    f"{name}: {part} must be 0 (normal) or 1 (anomalous) for each example, got "
                    f"{y.dtype} {y.shape}"
                )
            found.append(Wanted(LABELS, y.astype(np.int64)))
        if found[0].targets.any():
            raise DataError(
                f"{name}: y_train has {int(found[0].targets.sum()):,} anomalous examples; only "
                "normal ones are trained on: move them to the test arrays"
            )
        return found[0], found[1]

    def refuse_few(self, name: str, labels: Sequence[str], rows: int) -> None:
        if rows < _LEAST_ROWS:
            raise DataError(
                f"{name}: has {rows} rows; at least {_LEAST_ROWS} normal ones are needed, to learn "
                "what is normal and to set thresholds"
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
        """Draw splits of the normal rows; all anomalous rows are test rows."""
        splits = np.full(len(wishes), "test", "<U10")
        normal = targets == NORMAL
        own = None if groups is None else [str(one) for one in np.array(groups)[normal]]
        splits[normal] = assign(wishes[normal], targets[normal], seed, draw, groups=own)
        return splits

    def check(self, name: str, labels: Sequence[str], splits: Mapping[str, np.ndarray]) -> None:
        for split, targets in splits.items():
            encoded = targets.ndim == 2 and targets.shape[1] == len(labels) + 1
            if not encoded and not (targets.ndim == 1 and targets.dtype == np.int64):
                raise DataError(
                    f"{name}: the targets of {split} must be int64 (examples,), got "
                    f"{targets.dtype} {targets.shape}"
                )
            if split != "test" and (targets[:, -1] if encoded else targets).any():
                raise DataError(
                    f"{name}: {split} has anomalous examples; only normal ones are trained on"
                )

    def title(self, kind: str) -> str:
        return f"{kind} anomaly detection"

    def requests(
        self, inputs: Sequence[Any] | np.ndarray, labels: Sequence[str], targets: np.ndarray
    ) -> Sequence[Any] | np.ndarray:
        return inputs


def _composed(label: str) -> str:
    """An accented letter as one character or as two is the same label."""
    return unicodedata.normalize("NFC", label.strip())


TARGETS: Targets = AnomalyTargets()
