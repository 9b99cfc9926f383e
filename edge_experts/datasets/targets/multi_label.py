"""Targets of multi-label classification: any number of labels for each example, or none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ...format.strict_json import deceives
from .. import class_labels
from ..splitting import assign
from . import Targets, Wanted
from .label_sets import rarest

SEPARATOR = ";"
_STRATUM = 10  # least examples of a stratum
_LARGEST = 2**28  # examples times labels: training holds a float32 for each


class LabelSetTargets:
    """Sets of labels: a cell `a;b` or `["a", "b"]`, or rows of 0 and 1; (examples, labels) bool."""

    numbers: tuple[str, ...] = ()

    def claims_columns(self, columns: Sequence[str]) -> bool:
        return False

    def claims_cells(self, cells: Sequence[str]) -> bool:
        """True if a cell joins labels of other cells by `;`."""
        parts = {cell: _split(cell) for cell in set(cells)}
        shared = Counter(part for several in parts.values() for part in set(several))
        return any(
            len(several) > 1 and all(shared[part] > 1 for part in several)
            for several in parts.values()
        )

    def claims_arrays(self, y_train: np.ndarray, y_test: np.ndarray) -> bool:
        """True for rows of 0 and 1, unless each has exactly one 1: these may be classes."""
        both = (y_train, y_test)
        if any(y.ndim != 2 or y.shape[1] < 2 or y.dtype.kind not in "buif" for y in both):
            return False
        binary = all(bool(((y == 0) | (y == 1)).all()) for y in both)
        return binary and any(bool((y.sum(axis=1) != 1).any()) for y in both)

    def columns(self, path: Path, columns: Sequence[str]) -> tuple[str, ...]:
        if "label" not in columns:
            raise DataError(
                f"{path}: no column 'label' in its header; found: {', '.join(columns)}. Name the "
                "column of labels, with cells such as 'a;b', by --label-column NAME"
            )
        return ("label",)

    def cell(self, path: Path, line: int, column: str, text: str) -> Any:
        where = f"{path}: line {line}: column {column!r}"
        labels = _listed(where, text) if text.lstrip().startswith("[") else _split(text)
        for label in labels:
            if deceives(label) or SEPARATOR in label:
                raise DataError(
                    f"{where}: the label {label!r:.40} has a {SEPARATOR!r}, a line break or "
                    "another character of control; rename it"
                )
        return tuple(dict.fromkeys(labels))

    def example(self, path: Path, line: int, row: Mapping[str, str]) -> Any:
        return row.get("text", row)

    def of_rows(
        self,
        name: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        lines: Sequence[int] = (),
    ) -> Wanted:
        sets: list[tuple[str, ...]] = [labels for (labels,) in rows]
        lines = lines or range(1, len(sets) + 1)
        every = [
            (label, line) for labels, line in zip(sets, lines, strict=True) for label in labels
        ]
        spelled, notes = class_labels.merged(
            name, [label for label, _ in every], [line for _, line in every]
        )
        labels = tuple(sorted(set(spelled.values())))
        refuse_large(name, len(sets), len(labels))
        index = {label: place for place, label in enumerate(labels)}
        matrix = np.zeros((len(sets), len(labels)), bool)
        for row, own in enumerate(sets):
            matrix[row, [index[spelled[label]] for label in own]] = True
        return Wanted(labels, matrix, notes)

    def of_arrays(
        self, name: str, y_train: np.ndarray, y_test: np.ndarray, labels: Sequence[str] | None
    ) -> tuple[Wanted, Wanted]:
        train, test = _matrix(name, "y_train", y_train), _matrix(name, "y_test", y_test)
        count = train.shape[1]
        if test.shape[1] != count:
            raise DataError(
                f"{name}: y_train has {count} labels, y_test {test.shape[1]}; give both a column "
                "for each label"
            )
        names = tuple(labels) if labels else tuple(f"label {place}" for place in range(count))
        if len(names) != count:
            raise DataError(f"{name}: {len(names)} names for {count} labels; name each once")
        odd = next((label for label in names if SEPARATOR in label), None)
        if odd is not None:
            raise DataError(f"{name}: the label {odd!r:.40} has a {SEPARATOR!r}; rename it")
        return Wanted(names, train), Wanted(names, test)

    def refuse_few(self, name: str, labels: Sequence[str], rows: int) -> None:
        """Reject a matrix that training could not hold in memory; few rows are accepted."""
        refuse_large(name, rows, len(labels))

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
        """Assign splits stratified by the rarest label of each example.

        It is the first step of iterative stratification (Sechidis et al., 2011). Strata too small
        for a share of each split are one together. A label that would have no training example gets
        all of those that were drawn for another split.
        """
        strata = rarest(targets, targets.sum(axis=0))
        counts = np.bincount(strata, minlength=targets.shape[1] + 1)
        strata = np.where(counts[strata] >= _STRATUM, strata, len(counts))
        splits = assign(wishes, strata, seed, draw, groups=groups)
        if groups is None:
            untaught = targets.any(axis=0) & ~targets[splits == "train"].any(axis=0)
            splits[targets[:, untaught].any(axis=1) & (wishes == "")] = "train"
        return splits

    def check(self, name: str, labels: Sequence[str], splits: Mapping[str, np.ndarray]) -> None:
        """Require labels that differ between training examples, each of them in that split."""
        for split, targets in splits.items():
            if targets.ndim != 2 or targets.shape[1] != len(labels) or targets.dtype != bool:
                raise DataError(
                    f"{name}: the targets of {split} must be bool (examples, {len(labels)}), got "
                    f"{targets.dtype} {targets.shape}"
                )
        train = splits["train"]
        if not labels:
            raise DataError(f"{name}: no example has a label; fill the column of labels")
        missing = np.flatnonzero(~train.any(axis=0))
        if len(missing):
            raise DataError(
                f"{name}: the label {labels[missing[0]]!r} has no example to train on"
                + (f", and so have {len(missing) - 1} others" if len(missing) > 1 else "")
                + "; add examples to the training split, or leave the label out"
            )
        if (train == train[0]).all():
            raise DataError(
                f"{name}: all examples to train on have the same labels "
                f"({SEPARATOR.join(labels):.100}), so there is nothing to learn"
            )

    def title(self, kind: str) -> str:
        return f"multi-label {kind} classification"

    def requests(
        self, inputs: Sequence[Any] | np.ndarray, labels: Sequence[str], targets: np.ndarray
    ) -> Sequence[Any] | np.ndarray:
        return inputs


def refuse_large(name: str, rows: int, labels: int) -> None:
    """Raise DataError if a matrix of this size would not fit in memory."""
    if rows * labels > _LARGEST:
        raise DataError(
            f"{name}: {rows:,} examples with {labels:,} labels; at most {_LARGEST:,} of both "
            "multiplied are supported. Leave rare labels out, or train on a sample"
        )


def _split(text: str) -> list[str]:
    """Labels of a cell such as `a; b;`, in their order."""
    return [part.strip() for part in text.split(SEPARATOR) if part.strip()]


def _listed(where: str, text: str) -> list[str]:
    """Labels of a cell that is a JSON list of texts."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, list) or not all(isinstance(one, str) for one in content):
        raise DataError(
            f"{where} begins with '[' and is no JSON list of texts, got {text.strip()!r:.40}; "
            'write ["a", "b"], or a;b'
        )
    return [one.strip() for one in content if one.strip()]


def _matrix(name: str, part: str, y: np.ndarray) -> np.ndarray:
    """Convert to (examples, labels) bool.

    Raises:
        DataError: the values are not rows of 0 and 1.
    """
    if y.dtype.kind not in "buif" or y.ndim != 2 or not y.shape[1]:
        raise DataError(
            f"{name}: {part} must have a row of 0 and 1 for each example, (examples, labels), got "
            f"{y.dtype} {y.shape}"
        )
    matrix: np.ndarray = y == 1
    odd = ~(matrix | (y == 0))
    if odd.any():
        raise DataError(
            f"{name}: {part} must hold 0 and 1 only, got {y[odd][0]}; for numbers to predict "
            "(regression) give --task regression"
        )
    return matrix


TARGETS: Targets = LabelSetTargets()
