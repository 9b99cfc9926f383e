"""What every data set is, wherever it came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError
from ..format.strict_json import odd_label

KINDS = ("text", "table", "image", "window", "translation")
_LEAST_ROWS = 10  # for each label, on the average


@dataclass(frozen=True)
class Split:
    """Examples and what is wanted of each.

    Attributes:
        targets: the index of each one's label, (examples,) int64; of regression the values of the
            outputs that `labels` names, (examples, outputs) float64, in the data's own units.
    """

    inputs: Sequence[Any] | np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


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

    def __post_init__(self) -> None:
        if len(self.labels) < 2 and self.kind != "translation":
            raise DataError(
                f"{self.name}: has one class only ({', '.join(self.labels)}); "
                "a classifier needs at least two"
            )
        problem = odd_label(self.labels)
        if problem is not None:
            raise DataError(f"{self.name}: labels {problem}; rename them")
        for name in ("train", "validation", "test"):
            if not len(getattr(self, name)):
                raise DataError(f"{self.name}: no examples for {name}; give it more rows")
        missing = set(range(len(self.labels))) - set(self.train.targets.tolist())
        if missing:
            label = self.labels[min(missing)]
            raise DataError(f"{self.name}: the label {label!r} has no example to train on")

    def asked(self, split: Split) -> Sequence[Any] | np.ndarray:
        """What a bundle is asked for these examples: of pairs of sentences, the first, and its
        label's name.
        """
        if self.kind != "translation":
            return split.inputs
        names = [self.labels[target] for target in split.targets]
        return [(source, name) for (source, _), name in zip(split.inputs, names, strict=True)]

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


def refuse_translation(dataset: Dataset, what: str) -> None:
    """Raises DataError where the examples are pairs of sentences, which `what` is not for."""
    if dataset.kind == "translation":
        raise DataError(f"{dataset.name}: {what} is for classifiers; `train` and `evaluate` do it")


def refuse_measurements(name: str, labels: int, rows: int) -> None:
    """Nearly as many labels as rows are measurements rather than classes.

    Raises:
        DataError: there are too few rows for so many labels.
    """
    if labels > 1 and rows < _LEAST_ROWS * labels:
        raise DataError(
            f"{name}: {rows} rows for {labels} labels; at least {_LEAST_ROWS} for each are needed. "
            "Labels are classes: a column of measurements to predict (regression) is not offered"
        )
