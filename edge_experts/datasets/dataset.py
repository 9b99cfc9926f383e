"""What every data set is, wherever it came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import DataError
from ..features.cells import Column
from ..format.strict_json import odd_label
from .columns import Columns
from .splitting import Split
from .targets import targets_of

__all__ = ["KINDS", "Dataset", "Split"]

KINDS = ("text", "table", "image", "window", "translation")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Dataset:
    """Examples to learn from, to choose by, and to judge by; no split shares an example."""

    name: str
    kind: str  # of an example: one of KINDS
    task: str
    labels: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    origin: str  # where it came from and its licence, for people
    task_type: str = "classification"  # the name of its task in the registries of tasks
    columns: Columns = field(default_factory=Columns)  # of a file: the user's choice
    types: tuple[Column, ...] | None = None  # of a table's columns, where a file was read
    notes: tuple[str, ...] = ()  # sentences on the data, for people

    def __post_init__(self) -> None:
        problem = odd_label(self.labels)
        if problem is not None:
            raise DataError(f"{self.name}: labels {problem}; rename them")
        splits = {name: getattr(self, name).targets for name in SPLITS}
        for name, targets in splits.items():
            if not len(targets):
                raise DataError(f"{self.name}: no examples for {name}; give it more rows")
        targets_of(self.task_type).check(self.name, self.labels, splits)

    def asked(self, split: Split) -> Sequence[Any] | np.ndarray:
        """Requests to a bundle for these examples; of pairs of sentences the first, and its
        label's name.
        """
        return targets_of(self.task_type).requests(split.inputs, self.labels, split.targets)

    def fingerprint(self) -> str:
        """A digest of all examples, labels and splits."""
        digest = hashlib.sha256(json.dumps([self.kind, self.labels]).encode())
        for split in (self.train, self.validation, self.test):
            inputs = split.inputs
            if isinstance(inputs, np.ndarray):
                digest.update(f"{inputs.shape} {inputs.dtype}".encode())
                digest.update(np.ascontiguousarray(inputs).tobytes())
            else:
                digest.update(json.dumps(list(inputs), default=str).encode())
            digest.update(split.targets.tobytes())
        return digest.hexdigest()
