"""Targets of examples, by type of task.

The loaders of files and arrays choose a task once, by name or from the data. The task then defines
the columns to read, the checks, and the drawing of splits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ...errors import UsageError
from ...registry import Registry

TARGETS = Registry(
    "edge_experts.targets",
    {
        "classification": f"{__name__}.classification:TARGETS",
        "translation": f"{__name__}.translation:TARGETS",
        "regression": f"{__name__}.regression:TARGETS",
        "language-model": f"{__name__}.language_model:TARGETS",
        "multi-label": f"{__name__}.multi_label:TARGETS",
        "anomaly": f"{__name__}.anomaly:TARGETS",
    },
)


@dataclass(frozen=True)
class Wanted:
    """Targets of examples, with the names of classes or outputs.

    Attributes:
        labels: names of the classes, or of the outputs.
        targets: (examples,) int64 indices in `labels`, (examples, outputs) float64, or (examples,
            labels) bool.
        notes: remarks for the user.
        held_out: True for examples that may only be test examples, (examples,) bool; None: none.
    """

    labels: tuple[str, ...]
    targets: np.ndarray
    notes: tuple[str, ...] = ()
    held_out: np.ndarray | None = None


class Targets(Protocol):
    """Targets of one task.

    Attributes:
        numbers: columns common to all tasks whose cells are numbers for this one.
    """

    numbers: tuple[str, ...]

    def claims_columns(self, columns: Sequence[str]) -> bool:
        """True if the header of a table is meant for this task."""

    def claims_cells(self, cells: Sequence[str]) -> bool:
        """True if the cells of the column of targets are meant for this task.

        Asked only if the header is that of classification.
        """

    def claims_arrays(self, y_train: np.ndarray, y_test: np.ndarray) -> bool:
        """True if the values of the arrays are meant for this task."""

    def columns(self, path: Path, columns: Sequence[str]) -> tuple[str, ...]:
        """Columns of a table that hold the targets; () if the task needs none.

        Raises:
            DataError: the table has none.
        """

    def cell(self, path: Path, line: int, column: str, text: str) -> Any:
        """Value of one cell of a target column.

        Raises:
            DataError: the cell is not a valid target.
        """

    def example(self, path: Path, line: int, row: Mapping[str, str]) -> Any:
        """Example of a row without its target columns.

        Raises:
            DataError: a cell is invalid.
        """

    def of_rows(
        self,
        name: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        lines: Sequence[int] = (),
    ) -> Wanted:
        """Targets of all rows, each with the values of its cells.

        Args:
            lines: lines of the rows in their file, for messages.

        Raises:
            DataError: the values are invalid as a whole.
        """

    def of_arrays(
        self, name: str, y_train: np.ndarray, y_test: np.ndarray, labels: Sequence[str] | None
    ) -> tuple[Wanted, Wanted]:
        """Targets of the training and the test examples.

        Raises:
            DataError: the arrays are not valid targets.
        """

    def refuse_few(self, name: str, labels: Sequence[str], rows: int) -> None:
        """Reject data with too few rows for its targets.

        Raises:
            DataError: there are too few rows for the labels.
        """

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
        """Name of the split of every row; see `splitting.assign`."""

    def check(self, name: str, labels: Sequence[str], splits: Mapping[str, np.ndarray]) -> None:
        """Reject targets that cannot be learned.

        Args:
            splits: targets by split, none of them empty.

        Raises:
            DataError: the message has the reason and the remedy.
        """

    def title(self, kind: str) -> str:
        """Task in words, such as "table classification"."""

    def requests(
        self, inputs: Sequence[Any] | np.ndarray, labels: Sequence[str], targets: np.ndarray
    ) -> Sequence[Any] | np.ndarray:
        """Requests to a bundle for these examples."""


@runtime_checkable
class NormalTargets(Targets, Protocol):
    """Targets that tell normal rows from others."""

    def named(self, normal: Sequence[str]) -> Targets:
        """Return the targets of data whose normal rows have these labels."""


def targets_of(task_type: str, normal: Sequence[str] = ()) -> Targets:
    """Return the targets of a task.

    Args:
        normal: labels of normal rows; () for those that the task knows.

    Raises:
        MissingPartError: no installed package has the task.
        UsageError: labels are named, and the task has no normal rows.
    """
    targets: Targets = TARGETS.get(task_type)
    if not normal:
        return targets
    if not isinstance(targets, NormalTargets):
        raise UsageError(f"--normal-label is for --task anomaly, not for {task_type}; remove it")
    return targets.named(normal)


def type_of_columns(columns: Sequence[str]) -> str:
    """Task that a table's header claims; of several the last one registered, the most special."""
    claims = [name for name in TARGETS.names if targets_of(name).claims_columns(columns)]
    return claims[-1] if claims else TARGETS.names[0]


def type_of_cells(cells: Sequence[str], by_header: str) -> str:
    """Task that the cells of the column of targets claim, or that of the header."""
    if by_header != TARGETS.names[0]:
        return by_header
    claims = [name for name in TARGETS.names if targets_of(name).claims_cells(cells)]
    return claims[-1] if claims else by_header


def type_of_arrays(y_train: np.ndarray, y_test: np.ndarray) -> str:
    """Task that the arrays claim, likewise."""
    claims = [name for name in TARGETS.names if targets_of(name).claims_arrays(y_train, y_test)]
    return claims[-1] if claims else TARGETS.names[0]
