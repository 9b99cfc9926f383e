"""Variants of networks, and choices of one variant for each network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_experts.format.manifest import ROUTER

from ..network_files import File, Making

_WIDE = ("float32", "int16x8")  # large recipes, for users who need no compression


@dataclass(frozen=True)
class Variant:
    """Network made in one way: by a recipe, after a compression or none."""

    method: str  # "" for none
    file: File
    place: Path
    size: int

    @property
    def name(self) -> str:
        return f"{self.method} {self.file.recipe}".strip()


def candidates(method: str, making: Making, recipes: Sequence[str]) -> Iterator[File]:
    """Yield the files of a source that may be chosen.

    A compressed source excludes the largest recipes, and its router, which is unchanged.
    """
    for path in making.paths:
        if not method or path != ROUTER:
            yield from (File(path, one) for one in recipes if not method or one not in _WIDE)


@dataclass(frozen=True)
class Point:
    """One choice for all networks.

    Attributes:
        size: approximate bytes of the bundle or its archive: files beside the models are estimated.
        loss: mean loss of the task, such as the negative log-likelihood of the correct labels.
        score: the task's primary score; both on the validation examples, by the router's first
            choice.
        primary: the name of that score.
        uniform: the variant of all networks, if they have the same.
    """

    size: int
    loss: float
    score: float
    variants: tuple[Variant, ...]
    primary: str = "accuracy"
    uniform: str | None = None

    def counts(self) -> dict[str, int]:
        """Count the networks of each variant."""
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
