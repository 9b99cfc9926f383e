"""Signs that rows belong together, so that a random split would leak into the test."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..features.cells import NumberColumn

if TYPE_CHECKING:
    from .row_file import RowFile

_OWNER = re.compile(
    r"(?:.*[^a-z])?(?:subject|person|participant|patient|user|session|recording|recordings|device"
    r"|machine|run|trial|episode|group|id|site|house|household|customer|animal|speaker|sensor)s?"
    r"(?:[^a-z].*)?",
    re.IGNORECASE,
)
_LEAST_ROWS, _MOST_ROWS = 40, 5000
_ROWS_EACH = 3  # least mean number of rows of one owner
_ALIKE = 0.3  # mean step from row to row, relative to that between random rows
_NAMED = 3  # in a warning
_STEPS = 20  # least number of pairs of neighbours with one label


def hints(file: RowFile) -> list[str]:
    """Warnings if rows of one recording seem to be split at random; for tables only."""
    count = len(file.inputs)
    if file.types is None or count < _LEAST_ROWS:
        return []
    found = []
    if file.clocks:
        name = file.clocks[0]
        found.append(
            f"Warning: rows are split at random, and column {name!r} puts them in an order: of one "
            f"recording, neighbours would be in training and test. To test on later rows: "
            f"--time-column {name}"
        )
    owner = _owner(file)
    if owner:
        found.append(
            f"Warning: rows are split at random, and column {owner!r} repeats: rows of one "
            f"{owner} would be in training and test. To keep them together: --group-column {owner}"
        )
    slow = None if found else _alike(file)
    if slow is not None:
        found.append(
            f"Warning: rows are split at random, and neighbouring rows are much alike (column "
            f"{slow!r}), as in a recording. If they are one, name the column that says when "
            "(--time-column) or whose (--group-column), or give a column 'split'"
        )
    return found


def may_name_owners(column: str) -> bool:
    """True if a column's name is one for persons, machines, places or recordings."""
    return _OWNER.fullmatch(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column)) is not None


def in_several_splits(
    owners: Mapping[str, np.ndarray], splits: np.ndarray, *, stated: bool
) -> list[str]:
    """Warnings of columns whose owners are in several splits of a data set of windows.

    Args:
        owners: name of the owner of each window, (windows,), by column.
        splits: name of each window's split, (windows,).
        stated: True if the data states the splits.
    """
    found = []
    for column, names in owners.items():
        every, told = _in_several_splits(names, splits)
        if told is None or len(every) * _ROWS_EACH > len(names):
            continue
        before = "remove the column 'split', and use " if stated else ""
        found.append(
            f"Warning: of {len(every):,} values of column {column!r}, {told}, so that the accuracy "
            f"for other ones will be lower. To keep them together: {before}--group-column {column}"
        )
    return found


def folders_in_several_splits(
    folders: np.ndarray, targets: np.ndarray, splits: np.ndarray
) -> list[str]:
    """Warn if files of a folder, which may be a person's, are in several splits.

    Folders whose files have one target each are classes, not persons.

    Args:
        folders: folder of each window's file, (windows,); "." for none.
        targets: (windows, ...).
        splits: name of each window's split, (windows,).
    """
    every, told = _in_several_splits(np.where(folders == ".", "", folders), splits)
    if told is None or all(len(np.unique(targets[folders == one], axis=0)) == 1 for one in every):
        return []
    return [
        f"Warning: each file is a recording; of {len(every):,} folders, {told}. If a folder is one "
        "person, machine or day, the accuracy for other ones will be lower. To keep its files "
        "together: write its name into a column of them, and name that by --group-column"
    ]


def _in_several_splits(names: np.ndarray, splits: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Return the different names, and in words those that are in several splits, if there are."""
    every = np.unique(names[names != ""])
    shared = [name for name in every if len(set(splits[names == name])) > 1]
    if len(every) < 2 or not shared:
        return every, None
    told = ", ".join(map(str, shared[:_NAMED]))
    more = f" and {len(shared) - _NAMED:,} more" if len(shared) > _NAMED else ""
    return every, f"{len(shared):,} are in several splits ({told}{more})"


def _owner(file: RowFile) -> str | None:
    """A column whose name and repeated values identify the owner of each row."""
    for column in file.types or ():
        if not may_name_owners(column.name):
            continue
        counts = Counter(str(row[column.name]).strip() for row in file.inputs)
        if len(counts) > 2 and len(file.inputs) >= _ROWS_EACH * len(counts):
            return column.name
    return None


def _alike(file: RowFile) -> str | None:
    """A column of numbers that changes little between rows, if at least half of all do."""
    columns = [column for column in file.types or () if isinstance(column, NumberColumn)]
    targets = file.wanted.targets[:_MOST_ROWS]
    same = targets[1:] == targets[:-1] if targets.ndim == 1 else np.ones(len(targets) - 1, bool)
    if same.sum() < _STEPS:
        return None
    slow = {}
    for column in columns:
        read = (column.read(row[column.name], None) for row in file.inputs[: len(targets)])
        values = np.array([np.nan if number is None else number for number in read])
        steps = abs(np.diff(values))[same]
        ratio = np.nanmean(steps) / _apart(values, targets) if np.isfinite(steps).any() else 1.0
        if ratio < _ALIKE:
            slow[column.name] = ratio
    return min(slow, key=lambda name: slow[name]) if len(slow) * 2 > len(columns) else None


def _apart(values: np.ndarray, targets: np.ndarray) -> float:
    """Mean distance between random values of one label."""
    random = np.random.default_rng(0)
    distances = []
    for target in np.unique(targets) if targets.ndim == 1 else [None]:
        own = values if target is None else values[targets == target]
        own = own[np.isfinite(own)]
        if len(own) > 1:
            distances.append(abs(own - random.permutation(own)).mean() * len(own))
    return float(sum(distances)) / max(1, len(values)) or 1.0
