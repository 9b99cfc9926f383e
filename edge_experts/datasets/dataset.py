"""Common type of all data sets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import DataError
from ..features.cells import Column
from ..features.log_mel import LogMel
from ..features.resizing import Resizing
from ..features.sensor_stream import SensorStream
from ..format.strict_json import odd_label
from .columns import Columns
from .splitting import Split
from .targets import targets_of

__all__ = ["KINDS", "Dataset", "Split"]

KINDS = ("text", "table", "image", "window", "translation", "document", "photo", "sound")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Dataset:
    """Examples for training, validation and test; no split shares an example."""

    name: str
    kind: str  # kind of an example: one of KINDS
    task: str
    labels: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    origin: str  # source and licence, in words
    task_type: str = "classification"  # the name of its task in the registries of tasks
    columns: Columns = field(default_factory=Columns)  # columns of a file as chosen by the user
    types: tuple[Column, ...] | None = None  # types of a table's columns, if a file was read
    notes: tuple[str, ...] = ()  # remarks on the data, in sentences
    resizing: Resizing | None = None  # of photos: how files became arrays of one size
    stream: SensorStream | None = None  # of windows: how they were cut from rows of sensors
    log_mel: LogMel | None = None  # of sounds: rate and window

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
        """Requests to a bundle for these examples.

        For pairs of sentences, a request is the first sentence and the name of its label.
        """
        return targets_of(self.task_type).requests(split.inputs, self.labels, split.targets)

    def fingerprint(self) -> str:
        """Digest of all examples, labels and splits."""
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
