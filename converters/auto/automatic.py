"""`--quantization auto`: measure all variants, choose, publish, and check the size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from edge_experts.errors import ThresholdError
from edge_experts.format.manifest import Manifest

from ..bundle.assembly import Bundling
from ..network_files import Making
from ..tasks.conversion_task import RowTask
from ..verify.proof import Proof
from .choice import Choosing, choose
from .variants import Point, candidates

_TRIES = 4


@dataclass(frozen=True)
class Search:
    """Result of a search for recipes.

    Attributes:
        chosen: the choice, with the written size.
        frontier: choices from the smallest to the one of least loss.
        uniform: all networks in one variant, for comparison.
        refused: reasons why a variant is not available, with the networks concerned.
    """

    chosen: Point
    frontier: tuple[Point, ...]
    uniform: tuple[Point, ...]
    refused: Mapping[str, Sequence[str]]

    def to_json(self) -> dict[str, Any]:
        return {
            "chosen": self.chosen.to_json(),
            "frontier": [point.to_json() for point in self.frontier],
            "uniform": [point.to_json() for point in self.uniform],
            "refused": {reason: list(networks) for reason, networks in self.refused.items()},
        }


def automatic(
    sources: Mapping[str, Making],
    recipes: Sequence[str],
    bundling: Bundling,
    folder: Path,
    job: Path,
) -> tuple[Manifest, Proof, Search]:
    """Choose variants and write the bundle into `folder`.

    Args:
        sources: networks by the name of their compression, "" for none; each prepared.
        recipes: recipes of conversion.

    Raises:
        ThresholdError: no choice meets the budget.
    """
    for method, making in sources.items():
        what = f"Converting ({method or 'as trained'})"
        making.make(list(candidates(method, making, recipes)), what)
    for making in sources.values():
        making.rest()
    task, budget = cast(RowTask, bundling.task), bundling.options.budget
    choosing = Choosing(
        sources,
        recipes,
        compressed=budget.compressed,
        task=task.name,
        primary=task.primary,
        allowed=bundling.check,
    )
    scores, targets = bundling.reference.scores, bundling.examples.splits["validation"].targets
    temperature, inputs = task.calibrate(scores, targets), bundling.examples.validation
    choosing.measure(job, inputs, task.wanted(targets), temperature, bundling.interpreter)
    keras_score = task.scores(scores, targets)[task.primary]
    beside = bundling.beside_models(job, compressed=budget.compressed)
    for _ in range(_TRIES):
        point = choose(choosing, budget, beside, keras_score)
        for variant in point.variants:
            bundling.add(folder, variant.file.path, variant.place)
        manifest, proof = bundling.finish(folder, job, _made(point, sources))
        beside += bundling.size(folder, manifest, compressed=budget.compressed) - point.size
        if budget.size is None or choosing.size_of(point) + beside <= budget.size:
            break
    else:
        raise ThresholdError(
            f"no choice of recipes meets --size-budget {budget.size:,}; raise the budget"
        )
    return (
        manifest,
        proof,
        Search(
            choosing.with_fixed_bytes(point, beside),
            tuple(choosing.frontier(beside)),
            tuple(choosing.uniform(beside)),
            choosing.refused,
        ),
    )


def _made(point: Point, sources: Mapping[str, Making]) -> dict[str, Any]:
    """Describe for the manifest how the models of a choice were made."""
    digests = {
        variant.file.path: sources[variant.method].digests.get(variant.file.path)
        for variant in point.variants
    }
    return {
        "recipes": {variant.file.path: variant.name for variant in point.variants},
        "networks": {path: digest for path, digest in digests.items() if digest},
    }
