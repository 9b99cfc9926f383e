"""Examples of a folder of files, with their labels and splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..splitting import Split
from .label_folder import LabelledFile, Medium

_LEAST = 10  # least mean number of files of each label


@dataclass(frozen=True)
class LabelledFiles:
    """Examples of a folder.

    Attributes:
        inputs: (examples, *shape).
        targets: index of each example's label, (examples,) int64.
        splits: "train", "validation" or "test" for each example.
        has_splits: True if the folder states them.
        notes: sentences for the user.
        groups: speaker, machine or place of each example, (examples,), if the files state it.
    """

    name: str
    labels: tuple[str, ...]
    inputs: np.ndarray
    targets: np.ndarray
    splits: np.ndarray
    has_splits: bool
    notes: tuple[str, ...]
    groups: np.ndarray | None = None

    def split(self, name: str) -> Split:
        rows = np.flatnonzero(self.splits == name)
        groups = None if self.groups is None else self.groups[rows]
        return Split(self.inputs[rows], self.targets[rows], groups)


def numbered(labels: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Distinct labels in their order, and the index of each, (examples,) int64."""
    names = tuple(sorted(set(labels)))
    index = {name: place for place, name in enumerate(names)}
    return names, np.array([index[label] for label in labels], np.int64)


def refuse_few(folder: Path, files: Sequence[LabelledFile], medium: Medium) -> None:
    """Reject a folder whose folders have few files on average: they are hardly labels.

    Raises:
        DataError: as said.
    """
    names = {file.label for file in files}
    if len(names) > 1 and len(files) < _LEAST * len(names):
        raise DataError(
            f"{folder}: {medium.counted(len(files))} in {len(names):,} folders; on average at "
            f"least {_LEAST} are needed for each label. Add {medium.word}s, or name the folder "
            "whose folders are labels"
        )
