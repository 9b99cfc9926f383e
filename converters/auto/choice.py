"""Choice of a recipe for each network: measures every variant, then meets a size budget."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_experts.errors import ConversionError, EdgeExpertsError, ThresholdError
from edge_experts.format.archive import packed_bytes
from edge_experts.format.manifest import ROUTER
from edge_experts.format.npz import npz
from edge_experts.progress import Progress

from ..network_files import File, Making
from ..options import Budget
from ..process.child_process import run_module
from .knapsack import Table, solve
from .variants import Point, Variant, candidates

AUTO_DROP = 0.5  # points of validation accuracy, if neither a size nor a drop is given
_POINTS = 24  # sizes at which the frontier is computed
_SMALLER = {
    # A byte for each weight is the smallest size of a recipe, for any weights.
    False: "count the archive (--size-budget-compressed), where alone pruned and clustered experts "
    "are smaller, ",
    True: "compress more (--compress pruning --sparsity 0.9), ",
}
_WORTH = 1e-3  # nats for each example that twice the size must save; less is not significant


class Choosing:
    """All variants of a run's networks, measured.

    Args:
        sources: networks to choose from, by the name of their compression; "" is the run without
            compression, and the only source whose router is used.
        recipes: recipes of conversion for each.
        compressed: True for sizes in an archive.
        task: its name in `CONVERSIONS`, and that of its primary score.
        allowed: raises if a target does not support a file.
    """

    def __init__(
        self,
        sources: Mapping[str, Making],
        recipes: Sequence[str],
        *,
        compressed: bool,
        task: str = "classification",
        primary: str = "accuracy",
        allowed: Callable[[bytes, str], None] = lambda content, name: None,
    ):
        self._compressed, self._allowed = compressed, allowed
        self._task, self.primary = task, primary
        self.refused: dict[str, list[str]] = {}  # reasons, and the networks concerned
        offered: dict[str, list[tuple[str, File]]] = {path: [] for path in sources[""].paths}
        for method, making in sources.items():
            for file in candidates(method, making, recipes):
                offered[file.path].append((method, file))
        self._variants = {path: self._of(path, own, sources) for path, own in offered.items()}

    def _of(
        self, path: str, offered: Sequence[tuple[str, File]], sources: Mapping[str, Making]
    ) -> list[Variant]:
        variants, reasons = [], []
        for method, file in offered:
            making, name = sources[method], f"{method} {file.recipe}".strip()
            if file in making.failed:
                reasons.append(f"{name}: {making.failed[file]}")
                continue
            content = making.place(file).read_bytes()
            try:
                self._allowed(content, file.network)
            except EdgeExpertsError as error:
                reasons.append(f"{name}: " + str(error).removeprefix(f"{file.network}: "))
                continue
            size = packed_bytes(path, content) if self._compressed else len(content)
            variants.append(Variant(method, file, making.place(file), size))
        return self._some(path, variants, reasons)

    def _some(self, path: str, variants: list[Variant], reasons: Sequence[str]) -> list[Variant]:
        """Return the variants of a network, and record reasons for missing ones."""
        for reason in reasons:
            self.refused.setdefault(reason, []).append(File(path, "").network)
        if not variants:
            raise ConversionError(
                f"{File(path, '').network}: no recipe can convert it:\n" + "\n".join(reasons)
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
        """Run every variant on the interpreter, of this package, and drop the refused ones.

        See sensitivity.py.
        """
        self._interpreter = interpreter
        found = self._ask(job, validation, targets, temperature)
        self._losses, self._wrong = found["losses"], found["wrong"]
        self._count = len(targets)
        self._tables = [self._table(router) for router in range(max(1, len(self._routers)))]

    def right(
        self,
        points: Sequence[Point],
        job: Path,
        inputs: Mapping[str, np.ndarray],
        targets: np.ndarray,
    ) -> np.ndarray:
        """Mark correct answers of each choice to other examples, (points, examples)."""
        chosen = [self._places(point) for point in points]
        only = {
            (router, expert, pick) for router, picks in chosen for expert, pick in enumerate(picks)
        }
        found = self._ask(job, inputs, targets, 1.0, sorted(only))
        rows = np.arange(len(targets))
        return np.stack(
            [
                found["right"][router, np.array(picks)[found["owners"][router]], rows]
                for router, picks in chosen
            ]
        )

    def _places(self, point: Point) -> tuple[int, list[int]]:
        """Return the indices of a choice's variants, of its router and its experts."""
        chosen = list(point.variants)
        router = self._routers.index(chosen.pop(0)) if self._routers else 0
        return router, [own.index(one) for own, one in zip(self._experts, chosen, strict=True)]

    def _ask(
        self,
        job: Path,
        inputs: Mapping[str, np.ndarray],
        targets: np.ndarray,
        temperature: float,
        only: Sequence[tuple[int, int, int]] | None = None,
    ) -> Mapping[str, np.ndarray]:
        self._routers = self._variants.get(ROUTER, [])
        self._experts = [own for path, own in self._variants.items() if path != ROUTER]
        order = {
            "task": self._task,
            "router": [str(variant.place) for variant in self._routers],
            "experts": [[str(variant.place) for variant in own] for own in self._experts],
            "temperature": temperature,
            "only": only,
        }
        (job / "sensitivity.json").write_text(json.dumps(order))
        (job / "validation.npz").write_bytes(npz(**inputs))
        np.save(job / "targets.npy", targets)
        rounds = max(1, len(self._routers))
        steps = rounds * len(self._experts) + len(self._routers)
        with Progress("Measuring every variant", steps) as progress:
            module = "edge_experts.converters.auto.sensitivity"
            run_module(module, job, progress.step, _failure, interpreter=self._interpreter)
        refused = json.loads((job / "refused.json").read_text())
        if refused:
            self._drop(refused)
            return self._ask(job, inputs, targets, temperature, only)
        return dict(np.load(job / "sensitivity.npz"))

    def _drop(self, refused: Mapping[str, str]) -> None:
        """Remove variants that the interpreter refuses; `refused` has its reasons by file."""
        for path, own in self._variants.items():
            reasons = [
                f"{one.name}: {refused[str(one.place)]}" for one in own if str(one.place) in refused
            ]
            kept = [one for one in own if str(one.place) not in refused]
            self._variants[path] = self._some(path, kept, reasons)

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
        """Price of a byte in nats, so that variants without effect on the loss cost none."""
        return _WORTH / max(1, self.least(0))

    def best(self, size: int, fixed: int) -> Point | None:
        """Find the choice of least loss within `size` bytes, `fixed` of them beside the models."""
        found = []
        for router, table in enumerate(self._tables):
            room = size - fixed - (self._routers[router].size if self._routers else 0)
            picks = table.pick(room)
            if picks is not None:
                found.append(self._point(router, picks, fixed))
        return min(found, key=lambda point: point.loss + self._price * point.size, default=None)

    def least(self, fixed: int) -> int:
        """Compute the bytes of the smallest bundle."""
        smallest = [min(variant.size for variant in own) for own in self._variants.values()]
        return fixed + sum(smallest)

    def most(self, fixed: int) -> int:
        """Compute the bytes of the largest bundle."""
        largest = [max(variant.size for variant in own) for own in self._variants.values()]
        return fixed + sum(largest)

    def frontier(self, fixed: int) -> list[Point]:
        """List choices from the smallest to that of least loss, each better than smaller ones."""
        sizes = np.geomspace(self.least(fixed), self.most(fixed), _POINTS)
        points = [self.best(int(np.ceil(size)), fixed) for size in sizes]
        kept: list[Point] = []
        for point in sorted((one for one in points if one), key=lambda one: (one.size, one.loss)):
            if not kept or point.loss < kept[-1].loss:
                kept.append(point)
        return kept

    def uniform(self, fixed: int) -> list[Point]:
        """List choices of one variant for all networks, for each variant that all support.

        The router is used without compressions that apply to experts only.
        """
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
        """Compute the bytes of a choice's models."""
        return sum(variant.size for variant in point.variants)

    def with_fixed_bytes(self, point: Point, fixed: int) -> Point:
        """Copy the choice; its size is the bytes of its models and `fixed` bytes of other files."""
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
            score=float(1 - wrong.sum() / self._count),
            variants=tuple(chosen),
            primary=self.primary,
            uniform=uniform,
        )


def choose(choosing: Choosing, budget: Budget, fixed: int, keras_score: float) -> Point:
    """Choose the least loss within a size, or the smallest choice within the allowed drop.

    Raises:
        ThresholdError: there is no such choice.
    """
    if budget.size is not None:
        point = choosing.best(budget.size, fixed)
        if point is None:
            raise ThresholdError(
                f"the smallest bundle has about {choosing.least(fixed):,} bytes {budget.what}, "
                f"{fixed:,} of them beside the models; --size-budget"
                f"{'-compressed' if budget.compressed else ''} allows {budget.size:,}. Nothing was "
                f"written; allow more, {_SMALLER[budget.compressed]}train smaller experts "
                "(--width), or fewer"
            )
        return point
    allowed = AUTO_DROP if budget.max_drop is None else budget.max_drop
    for point in choosing.frontier(fixed):
        if 100 * (keras_score - point.score) <= allowed:
            return point
    raise ThresholdError(
        f"every choice loses more than {allowed} points of validation {choosing.primary} "
        f"({keras_score:.4f} in Keras). Nothing was written; allow more by --max-accuracy-drop"
    )


def _failure(last: str, reason: str) -> ConversionError:
    return ConversionError(f"a converted file ends the interpreter (at {last}): {reason}")
