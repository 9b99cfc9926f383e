"""Finished trainings of the study as JSON lines, so that it can be killed and resumed for days."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edge_experts.datasets.targets.document_losses import DocumentLoss


@dataclass(frozen=True)
class StudyRecord:
    """One training; without measurements, the one that is wanted.

    Attributes:
        rate: highest learning rate.
        search: True for a short training that decides the rate.
        factor: number of passes over the tokens.
        seconds: processor time.
        tokens: tokens that were trained on.
        validation: loss of validation documents, nats a token.
        test: loss of each test document; empty in the search.
    """

    data: str
    kind: str
    rate: float
    seed: int
    search: bool = False
    factor: float = 1.0
    seconds: float = 0.0
    tokens: int = 0
    validation: float = 0.0
    test: tuple[DocumentLoss, ...] = ()

    @property
    def key(self) -> tuple[str, str, float, int, bool]:
        return self.data, self.kind, self.rate, self.seed, self.search

    @property
    def title(self) -> str:
        """Describe the training in a line."""
        part = "search" if self.search else f"seed {self.seed}"
        return f"{self.data}, {self.kind}, rate {self.rate:g}, {part}"

    def measured(
        self, seconds: float, tokens: int, validation: float, test: Sequence[DocumentLoss]
    ) -> StudyRecord:
        """Copy the record with its measurements."""
        return replace(
            self, seconds=seconds, tokens=tokens, validation=validation, test=tuple(test)
        )


class Records:
    """Records of one data set in a file.

    Args:
        path: the file; created with the first record.
    """

    def __init__(self, path: Path, data: str):
        self._path = path
        self.all: list[StudyRecord] = []
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                content = json.loads(line)
                content["test"] = tuple(DocumentLoss(*one) for one in content["test"])
                if content["data"] == data:
                    self.all.append(StudyRecord(**content))

    def has(self, wanted: StudyRecord) -> bool:
        return any(one.key == wanted.key for one in self.all)

    def add(self, record: StudyRecord) -> None:
        """Append a finished training."""
        self.all.append(record)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(record)) + "\n")

    def best_rate(self, kind: str) -> float:
        """Return the rate with the lowest validation loss in the search."""
        return min(self._searched(kind), key=lambda one: one.validation).rate

    def rates(self, kind: str) -> list[float]:
        """Return the rates of the search."""
        return [one.rate for one in self._searched(kind)]

    def seconds(self, kind: str, seed: int) -> float:
        """Return the processor time of a full training."""
        return next(
            one.seconds
            for one in self.all
            if not one.search and (one.kind, one.seed) == (kind, seed)
        )

    def snapshot(self, wanted: StudyRecord) -> Path:
        """Return the file of a running training's state."""
        name = re.sub(r"\W+", "-", "-".join(map(str, wanted.key)))
        return self._path.with_name(f"{self._path.name}.{name}.npz")

    def _searched(self, kind: str) -> list[StudyRecord]:
        return [one for one in self.all if one.search and one.kind == kind]
