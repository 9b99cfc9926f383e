"""What is chosen from: networks made in one way or another, and choices of one for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_experts.format.manifest import ROUTER

from ..network_files import File, Making

_WIDE = ("float32", "int16x8")  # recipes for who has room, and need not compress


@dataclass(frozen=True)
class Variant:
    """A network made in one way: by a recipe, of what a compression left of it."""

    method: str  # "" for none
    file: File
    place: Path
    size: int

    @property
    def name(self) -> str:
        return f"{self.method} {self.file.recipe}".strip()


def candidates(method: str, making: Making, recipes: Sequence[str]) -> Iterator[File]:
    """The files that a source offers to choose from.

    What a compression left is not offered in the recipes that take most, and its router is as it
    was.
    """
    for path in making.paths:
        if not method or path != ROUTER:
            yield from (File(path, one) for one in recipes if not method or one not in _WIDE)


@dataclass(frozen=True)
class Point:
    """One choice for all networks.

    Attributes:
        size: of the bundle or its archive, bytes, nearly: what is beside the models is estimated.
        loss: mean loss of the task, such as the negative log-likelihood of the right labels.
        score: the task's primary score; both on the validation examples, by the router's first
            choice.
        primary: the name of that score.
        uniform: the one way that all networks are made in, where it is one.
    """

    size: int
    loss: float
    score: float
    variants: tuple[Variant, ...]
    primary: str = "accuracy"
    uniform: str | None = None

    def counts(self) -> dict[str, int]:
        """How many networks are made in each way."""
        names = [variant.name for variant in self.variants]
        return {name: names.count(name) for name in sorted(set(names))}

    def to_json(self) -> dict[str, Any]:
        return {
            "bytes": self.size,
            "loss": round(self.loss, 6),
            self.primary: round(self.score, 6),
            "networks": self.counts(),
            **({} if self.uniform is None else {"uniform": self.uniform}),
        }
