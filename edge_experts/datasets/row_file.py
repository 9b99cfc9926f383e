"""Rows of a .csv or .tsv with their targets, before they are split.

Without features, the types of columns are inferred from their cells. With features, those of a
bundle or a run, the columns are read as these define them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UsageError
from ..features import Features, TableFeatures
from ..features.cells import EMPTY, Column, TypedColumn, number_of_cells, typed_rows
from . import row_checks, rows
from .columns import Columns
from .rows import TARGET
from .targets import Targets, Wanted, targets_of, type_of_cells, type_of_columns

SPLITS = ("train", "validation", "test")
KINDS: dict[type, str] = {str: "text", tuple: "translation", dict: "table"}  # by example
_OF_EXAMPLES = {"text": ("text",), "translation": ("text", "translation")}


@dataclass(frozen=True)
class RowFile:
    """Content of a file.

    Attributes:
        inputs: an example for each row.
        wanted: targets of the rows.
        wishes: (rows,) names of splits, "" if the file does not state it.
        groups, times: group and time of each row, if the user named such a column.
        columns: the user's choice, and the columns that were left out.
        types: types of a table's columns; None if features of 0.1.0 read them.
        clocks: columns that hold times, or rise from row to row.
        notes: remarks for the user.
    """

    task_type: str
    kind: str
    inputs: list[Any]
    wanted: Wanted
    wishes: np.ndarray
    groups: list[str] | None
    times: list[str] | None
    columns: Columns
    types: tuple[Column, ...] | None
    clocks: tuple[str, ...]
    notes: tuple[str, ...]


def read(
    path: Path,
    task_type: str | None = None,
    columns: Columns | None = None,
    features: Features | None = None,
) -> RowFile:
    """Read a file.

    Args:
        task_type: from the header if None.
        columns: the user's choice of columns.
        features: of the bundle or run that the rows are for; None for a new training.

    Raises:
        DataError: the file is invalid; the message has the line or column and the remedy.
    """
    row_checks.refuse_large(path)
    columns = columns or Columns()
    points = isinstance(features, TableFeatures) and features.decimal_commas
    table = list(rows.read(path, decimal_points=points))
    if not table:
        raise DataError(f"{path}: has no rows below its header")
    header = list(table[0][1])
    columns = columns.of_header(str(path), header)
    inferred: tuple[str, ...] = ()
    if task_type is None:
        row_checks.refuse_both(path, header, columns)
        by_header = type_of_columns(header if columns.label is None else [role(columns.label)])
        (column, *_) = target_columns(path, targets_of(by_header), header, columns)
        task_type = type_of_cells([row[column] for _, row in table], by_header)
        if task_type != by_header:
            inferred = (
                f"{path}: read as {task_type}, by cells of the column {column!r} that join labels "
                f"of others; --task {by_header} reads each cell as one label",
            )
    task = targets_of(task_type, columns.normal)
    chosen = target_columns(path, task, header, columns)
    lines = [line for line, _ in table]
    found = [row for _, row in table]
    wishes = wishes_of(path, table) if "split" in header else np.full(len(table), "")
    row_checks.refuse_total(path, table)
    cells = _targets(path, task, chosen, table)
    groups, times = cells_of(path, columns.group, table), cells_of(path, columns.time, table)
    beside = {*chosen, "split", *columns.not_inputs}
    inputs = [{name: cell for name, cell in row.items() if name not in beside} for row in found]
    if not inputs[0]:
        only = chosen[0].partition(":")[0]
        raise DataError(f"{path}: has {only}s only; add a column 'text', or columns of numbers")
    examples = [task.example(path, line, row) for line, row in zip(lines, inputs, strict=True)]
    kind = KINDS[type(examples[0])]
    made = RowFile(
        task_type=task_type,
        kind=kind,
        inputs=examples,
        wanted=task.of_rows(str(path), chosen, cells, lines),
        wishes=wishes,
        groups=groups,
        times=times,
        columns=columns,
        types=None,
        clocks=(),
        notes=(),
    )
    made = replace(made, notes=(*inferred, *made.wanted.notes))
    if kind in _OF_EXAMPLES:
        return _without(made, [name for name in inputs[0] if name not in _OF_EXAMPLES[kind]], kind)
    if isinstance(features, TableFeatures):
        return _for_features(path, made, features, lines)
    return _typed(path, made, lines)


def _without(file: RowFile, names: Iterable[str], beside: str) -> RowFile:
    """Remove columns that this kind of example does not have, and add a note."""
    new = [name for name in names if name not in file.columns.unused]
    if not new:
        return file
    note = f"columns not used beside {beside!r}: {', '.join(new):.300}"
    unused = (*file.columns.unused, *new)
    return replace(file, columns=replace(file.columns, unused=unused), notes=(*file.notes, note))


def _for_features(
    path: Path, file: RowFile, features: TableFeatures, lines: Sequence[int]
) -> RowFile:
    """Select the columns that the features read.

    Raises:
        DataError: a column is missing, or a cell does not fit its column.
    """
    wanted = features.columns
    missing = [name for name in wanted if name not in file.inputs[0]]
    if missing:
        raise DataError(
            f"{path}: has no column {', '.join(map(repr, missing)):.300}, which the model reads"
        )
    others = [
        name for name in file.inputs[0] if name not in wanted and name not in file.columns.unused
    ]
    notes = (f"columns that the model does not read: {', '.join(others):.300}",) if others else ()
    taken = [{name: row[name] for name in wanted} for row in file.inputs]
    for column in features.types or ():
        for line, row in zip(lines, taken, strict=True):
            try:
                column.read(row[column.name], None)
            except UsageError as error:
                raise DataError(f"{path}: line {line}: {error}") from None
    return replace(file, inputs=taken, types=features.types, notes=(*file.notes, *notes))


def _typed(path: Path, file: RowFile, lines: Sequence[int]) -> RowFile:
    """Select the columns that are inputs, with their types."""
    comma = True if rows.has_semicolons(path) else None
    types = typed_rows(str(path), file.inputs, lines, keep=file.columns.keep, likely_comma=comma)
    used = [one for one in types if one.column is not None]
    left = [one for one in types if one.column is None]
    notes = [note for one in types for note in one.notes] + _left_out(left)
    if not used:
        raise DataError(f"{path}: no column is left to learn from: {'; '.join(_left_out(left))}")
    names = [one.name for one in used]
    return replace(
        file,
        inputs=[{name: row[name] for name in names} for row in file.inputs],
        columns=replace(file.columns, unused=tuple(one.name for one in left)),
        types=tuple(one.column for one in used if one.column is not None),
        clocks=tuple(one.name for one in types if one.clock),
        notes=(*file.notes, *notes),
    )


def _left_out(types: Iterable[TypedColumn]) -> list[str]:
    return [
        f"column {one.name!r} is not used: {one.reason}"
        + ("" if one.reason == EMPTY else f" (--keep {one.name} to use it)")
        for one in types
    ]


def role(name: str) -> str:
    """Standard name of a column that the user names, which identifies the task."""
    return name if TARGET.fullmatch(name) else "label"


def target_columns(
    path: Path, task: Targets, header: Sequence[str], columns: Columns
) -> tuple[str, ...]:
    """Choose the columns of the targets.

    Raises:
        DataError: there are none, or the header looks like data.
    """
    if columns.label is not None:
        return (columns.label,)
    names = [name for name in header if name not in columns.not_inputs]
    if all(_is_number(name) for name in names):
        raise DataError(
            f"{path}: its first line looks like data ({', '.join(names):.60}); write the names of "
            "the columns there, with 'label' for the classes or 'target' for numbers to predict"
        )
    return task.columns(path, names)


def _is_number(text: str) -> bool:
    return number_of_cells([text]) is not None


def wishes_of(path: Path, table: Sequence[tuple[int, Mapping[str, str]]]) -> np.ndarray:
    """Read the column `split` of each row: (rows,) names of splits.

    Raises:
        DataError: a cell is no split.
    """
    wishes = [row["split"].strip().lower() for _, row in table]
    for (line, _), wish in zip(table, wishes, strict=True):
        if wish not in SPLITS:
            raise DataError(f"{path}: line {line}: split must be one of {SPLITS}, got {wish!r}")
    return np.array(wishes)


def _targets(
    path: Path,
    task: Targets,
    chosen: Sequence[str],
    table: Sequence[tuple[int, Mapping[str, str]]],
) -> list[list[Any]]:
    """Targets of each row, by column; numbers may have any notation."""
    if not chosen:
        return [[] for _ in table]
    columns: list[list[Any]] = []
    for name in chosen:
        texts = [row[name] for _, row in table]
        if task.numbers:
            texts = number_of_cells(texts) or texts
        columns.append(
            [
                task.cell(path, line, name, text)
                for (line, _), text in zip(table, texts, strict=True)
            ]
        )
    return [list(cells) for cells in zip(*columns, strict=True)]


def cells_of(
    path: Path, name: str | None, table: Sequence[tuple[int, Mapping[str, str]]]
) -> list[str] | None:
    """Cells of a column that determines splits; None if the user named none."""
    if name is None:
        return None
    for line, row in table:
        if not row[name].strip():
            raise DataError(
                f"{path}: line {line}: column {name!r} is empty; fill it, or leave the row out"
            )
    return [row[name].strip() for _, row in table]
