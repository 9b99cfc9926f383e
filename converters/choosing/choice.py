"""A recipe for each network: every variant is measured on the interpreter, then a size is met."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.archive import packed_bytes
from edge_experts.bundle import ROUTER
from edge_experts.errors import ConversionError, EdgeExpertsError, ThresholdError
from edge_experts.folders import npz
from edge_experts.progress import Progress

from ..isolation import run_module
from ..making import File, Making
from .knapsack import Table, solve

AUTO_DROP = 0.5  # points of validation accuracy, where neither a size nor a drop is stated
_POINTS = 24  # sizes that the frontier is asked at
_WORTH = 1e-3  # nats for each example that twice the size must save; less is chance


@dataclass(frozen=True)
class Budget:
    """What a bundle may take, and what that may cost; None: no limit.

    Attributes:
        size: bytes on disk, or of the archive where `compressed`.
        max_drop: points of validation accuracy under Keras's.
    """

    size: int | None = None
    compressed: bool = False
    max_drop: float | None = None

    @property
    def what(self) -> str:
        return "of its archive" if self.compressed else "on disk"


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


@dataclass(frozen=True)
class Point:
    """One choice for all networks.

    Attributes:
        size: of the bundle or its archive, bytes, nearly: what is beside the models is estimated.
        loss: mean negative log-likelihood of the right labels, nats.
        accuracy: both on the validation examples, by the router's first choice.
        uniform: the one way that all networks are made in, where it is one.
    """

    size: int
    loss: float
    accuracy: float
    variants: tuple[Variant, ...]
    uniform: str | None = None

    def counts(self) -> dict[str, int]:
        """How many networks are made in each way."""
        names = [variant.name for variant in self.variants]
        return {name: names.count(name) for name in sorted(set(names))}

    def to_json(self) -> dict[str, Any]:
        return {
            "bytes": self.size,
            "loss": round(self.loss, 6),
            "accuracy": round(self.accuracy, 6),
            "networks": self.counts(),
            **({} if self.uniform is None else {"uniform": self.uniform}),
        }


class Choosing:
    """All variants of a run's networks, measured.

    Args:
        sources: networks to choose from, by what compressed them; "" is the run as it is, and the
            only one whose router is used.
        recipes: ways to convert each.
        compressed: sizes are those in an archive.
        allowed: raises where a target does not take a file.
    """

    def __init__(
        self,
        sources: Mapping[str, Making],
        recipes: Sequence[str],
        *,
        compressed: bool,
        allowed: Callable[[bytes, str], None] = lambda content, name: None,
    ):
        self._compressed, self._allowed = compressed, allowed
        self.refused: dict[str, list[str]] = {}  # reasons, and the networks they hold for
        plain = sources[""]
        self._variants = {
            path: self._of(path, sources if path != ROUTER else {"": plain}, recipes)
            for path in plain.paths
        }

    def _of(
        self, path: str, sources: Mapping[str, Making], recipes: Sequence[str]
    ) -> list[Variant]:
        variants, reasons = [], []
        for method, making in sources.items():
            for recipe in recipes:
                file = File(path, recipe)
                if file in making.failed:
                    reasons.append(f"{method} {recipe}".strip() + f": {making.failed[file]}")
                    continue
                content = making.place(file).read_bytes()
                try:
                    self._allowed(content, file.network)
                except EdgeExpertsError as error:
                    said = str(error).removeprefix(f"{file.network}: ")
                    reasons.append(f"{method} {recipe}".strip() + f": {said}")
                    continue
                size = packed_bytes(path, content) if self._compressed else len(content)
                variants.append(Variant(method, file, making.place(file), size))
        for reason in reasons:
            self.refused.setdefault(reason, []).append(File(path, "").network)
        if not variants:
            raise ConversionError(
                f"{File(path, '').network}: cannot be made in any way:\n" + "\n".join(reasons)
            )
        return variants

    def measure(
        self,
        job: Path,
        validation: Mapping[str, np.ndarray],
        targets: np.ndarray,
        temperature: float,
        interpreter: str | None = None,
    ) -> None:
        """Ask every variant on the interpreter, of this package; see sensitivity.py."""
        self._routers = self._variants.get(ROUTER, [])
        self._experts = [own for path, own in self._variants.items() if path != ROUTER]
        order = {
            "router": [str(variant.place) for variant in self._routers],
            "experts": [[str(variant.place) for variant in own] for own in self._experts],
            "temperature": temperature,
        }
        (job / "sensitivity.json").write_text(json.dumps(order))
        (job / "validation.npz").write_bytes(npz(**validation))
        np.save(job / "targets.npy", targets)
        rounds = max(1, len(self._routers))
        steps = rounds * len(self._experts) + len(self._routers)
        with Progress("Measuring every variant", steps) as progress:
            module = "edge_experts.converters.choosing.sensitivity"
            run_module(module, job, progress.step, _failure, interpreter=interpreter)
        found = np.load(job / "sensitivity.npz")
        self._losses, self._wrong = found["losses"], found["wrong"]
        self._count = len(targets)
        self._tables = [self._table(router) for router in range(rounds)]

    def _table(self, router: int) -> Table:
        sizes = [[variant.size for variant in own] for own in self._experts]
        losses = [
            [
                self._losses[router, index, at] / self._count + self._price * size
                for at, size in enumerate(own)
            ]
            for index, own in enumerate(sizes)
        ]
        return solve(sizes, losses)

    @property
    def _price(self) -> float:
        """Of a byte, in nats: what makes no difference must not cost bytes."""
        return _WORTH / max(1, self.least(0))

    def best(self, size: int, fixed: int) -> Point | None:
        """The choice of least loss within `size` bytes, `fixed` of them beside the models."""
        found = []
        for router, table in enumerate(self._tables):
            room = size - fixed - (self._routers[router].size if self._routers else 0)
            picks = table.pick(room)
            if picks is not None:
                found.append(self._point(router, picks, fixed))
        return min(found, key=lambda point: point.loss + self._price * point.size, default=None)

    def least(self, fixed: int) -> int:
        """Bytes of the smallest bundle."""
        smallest = [min(variant.size for variant in own) for own in self._variants.values()]
        return fixed + sum(smallest)

    def most(self, fixed: int) -> int:
        """Bytes of the largest one."""
        largest = [max(variant.size for variant in own) for own in self._variants.values()]
        return fixed + sum(largest)

    def frontier(self, fixed: int) -> list[Point]:
        """Choices from the smallest to the one of least loss, each better than all smaller ones."""
        sizes = np.geomspace(self.least(fixed), self.most(fixed), _POINTS)
        points = [self.best(int(np.ceil(size)), fixed) for size in sizes]
        kept: list[Point] = []
        for point in sorted((one for one in points if one), key=lambda one: (one.size, one.loss)):
            if not kept or point.loss < kept[-1].loss:
                kept.append(point)
        return kept

    def uniform(self, fixed: int) -> list[Point]:
        """All networks made in one way, for each way that holds for all; the router without
        what only experts are compressed by."""
        points = []
        for name in dict.fromkeys(variant.name for own in self._experts for variant in own):
            recipe = name.split()[-1]
            routers = [at for at, one in enumerate(self._routers) if one.name == recipe]
            picks = [
                next((at for at, one in enumerate(own) if one.name == name), -1)
                for own in self._experts
            ]
            if -1 not in picks and (routers or not self._routers):
                points.append(self._point(routers[0] if routers else 0, picks, fixed, name))
        return points

    def size_of(self, point: Point) -> int:
        """Bytes of a choice's models."""
        return sum(variant.size for variant in point.variants)

    def at(self, point: Point, fixed: int) -> Point:
        """The choice, with another number of bytes beside the models."""
        return replace(point, size=fixed + self.size_of(point))

    def _point(
        self, router: int, picks: Sequence[int], fixed: int, uniform: str | None = None
    ) -> Point:
        chosen = [own[pick] for own, pick in zip(self._experts, picks, strict=True)]
        if self._routers:
            chosen.insert(0, self._routers[router])
        places = (router, np.arange(len(picks)), np.array(picks))
        experts = self._losses.shape[1]
        # Without a router every expert's variants were measured on all examples, in the sum.
        loss, wrong = self._losses[places], self._wrong[places]
        if not self._routers and experts > 1:
            first = self._losses[0, :, 0]
            loss, wrong = np.append(loss - first, first[0]), wrong.mean(keepdims=True)
        return Point(
            size=fixed + sum(variant.size for variant in chosen),
            loss=float(loss.sum() / self._count),
            accuracy=float(1 - wrong.sum() / self._count),
            variants=tuple(chosen),
            uniform=uniform,
        )


def choose(choosing: Choosing, budget: Budget, fixed: int, keras_accuracy: float) -> Point:
    """The choice that a budget asks for.

    With a size: the least loss within it. Without: the smallest that loses no more accuracy than
    allowed.

    Raises:
        ThresholdError: there is none.
    """
    if budget.size is not None:
        point = choosing.best(budget.size, fixed)
        if point is None:
            raise ThresholdError(
                f"the smallest bundle has about {choosing.least(fixed):,} bytes {budget.what}, "
                f"{fixed:,} of them beside the models; --size-budget allows {budget.size:,}. "
                "Nothing was written; allow more, train smaller experts (--width), or fewer"
            )
        return point
    allowed = AUTO_DROP if budget.max_drop is None else budget.max_drop
    for point in choosing.frontier(fixed):
        if 100 * (keras_accuracy - point.accuracy) <= allowed:
            return point
    raise ThresholdError(
        f"every choice of recipes loses more than {allowed} points of validation accuracy "
        f"({keras_accuracy:.4f} in Keras). Nothing was written; allow more by --max-accuracy-drop"
    )


def _failure(last: str, reason: str) -> ConversionError:
    return ConversionError(f"a converted file ends the interpreter (at {last}): {reason}")
