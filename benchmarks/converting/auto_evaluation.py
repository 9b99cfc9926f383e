"""Comparison of `--quantization auto` with the best uniform choice.

For each run (seed), five budgets below the archive of all networks in int8 are searched on the
validation examples, including pruned and clustered experts. On the test examples each choice is
compared with the best uniform choice within the same budget, best on these very test examples, and
the difference has the 95 % interval of a paired comparison (McNemar, 1947).
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edge_experts.converters.auto import choice_picture
from edge_experts.converters.auto.choice import Choosing
from edge_experts.converters.auto.variants import Point, candidates
from edge_experts.converters.network_files import Workload
from edge_experts.converters.process.cache import Cache
from edge_experts.converters.process.order import Order
from edge_experts.converters.recipes import RECIPE_NAMES
from edge_experts.converters.sources import Sources
from edge_experts.converters.verify.parity import fit_temperature

from edge_experts import datasets, run_folder
from edge_experts.compression import FOR_ARCHIVES
from edge_experts.datasets import Dataset
from edge_experts.features import encode_all

BUDGETS = 5
_CALIBRATION = 2000


@dataclass(frozen=True)
class BudgetChoice:
    """One budget of one run; sizes are bytes of all models in an archive.

    Attributes:
        low, high: of the difference in test accuracy to the best uniform choice, points.
    """

    run: str
    budget: int
    size: int
    accuracy: float
    networks: dict[str, int]
    uniform: str
    uniform_size: int
    uniform_accuracy: float
    difference: float
    low: float
    high: float


def evaluate_all(
    runs: Sequence[Path], *, data: str | None, frontier: Path | None
) -> list[BudgetChoice]:
    """Evaluate the runs, one after the other, and draw the frontier of the first."""
    rows: list[BudgetChoice] = []
    for run in runs:
        seed = run_folder.read_run(run).config.get("seed") or 0
        loaded = None if data is None else datasets.load(data, seed)
        rows += evaluate(run, data=loaded, frontier=None if rows else frontier)
    return rows


def as_table(rows: Sequence[BudgetChoice]) -> list[list[str]]:
    """Build one row for each budget of each run."""
    header = ["run", "budget", "auto: bytes", "accuracy", "best uniform", "bytes", "accuracy"]
    cells = [
        [
            row.run,
            f"{row.budget:,}",
            f"{row.size:,}",
            f"{row.accuracy:.4f}",
            row.uniform,
            f"{row.uniform_size:,}",
            f"{row.uniform_accuracy:.4f}",
            f"{row.difference:+.2f} ({row.low:+.2f} to {row.high:+.2f})",
        ]
        for row in rows
    ]
    return [[*header, "difference, points"], *cells]


def choices(rows: Sequence[BudgetChoice]) -> list[str]:
    """Describe the recipes that `auto` chose, a line for each row."""
    lines = []
    for row in rows:
        networks = ", ".join(f"{count} x {name}" for name, count in row.networks.items())
        lines.append(f"{row.run} {row.budget:,}: {networks}")
    return lines


def evaluate(
    run: Path, *, data: Dataset | None = None, frontier: Path | None = None
) -> list[BudgetChoice]:
    """Build the rows of one run, and draw the frontier that was searched."""
    described = run_folder.read_run(run)
    features = run_folder.read_features(run, described)
    examples = run_folder.read_examples(run, features)
    arrays = {
        "train": encode_all(features, examples["train"].inputs[:_CALIBRATION]),
        "validation": encode_all(features, examples["validation"].inputs),
        "test": encode_all(features, examples["test"].inputs),
    }
    work = Workload(Order(), arrays["train"], arrays["validation"], described.experts + 1)
    with tempfile.TemporaryDirectory() as temporary:
        job = Path(temporary)
        sources = Sources(job, run, work, data=data, kept=Cache.of_user())
        with sources:
            scores = sources.plain.prepare().scores
            for method, making in sources.try_compressed(FOR_ARCHIVES).items():
                making.make(list(candidates(method, making, RECIPE_NAMES)), method or "as trained")
            sources.rest()
            choosing = Choosing(sources.all, RECIPE_NAMES, compressed=True)
            right = examples["validation"].targets
            choosing.measure(job, arrays["validation"], right, fit_temperature(scores, right))
            chosen = _chosen(choosing)
            uniform = choosing.uniform(0)
            if frontier is not None:
                choice_picture.draw(
                    frontier,
                    frontier=choosing.frontier(0),
                    uniform=uniform,
                    chosen=list(chosen.values()),
                    compressed=True,
                )
            points = [*chosen.values(), *uniform]
            answers = choosing.right(points, job, arrays["test"], examples["test"].targets)
    ours, theirs = answers[: len(chosen)], answers[len(chosen) :]
    return [
        _row(run.name, budget, point, mine, uniform, theirs)
        for (budget, point), mine in zip(chosen.items(), ours, strict=True)
    ]


def _chosen(choosing: Choosing) -> dict[int, Point]:
    """Return choices at even budgets between the smallest bundle and all networks in int8."""
    sizes = {point.uniform: point.size for point in choosing.uniform(0)}
    smallest = min(sizes.values())
    budgets = np.linspace(smallest, sizes["int8"], BUDGETS + 1)[:-1]
    found = {int(budget): choosing.best(int(budget), 0) for budget in budgets}
    return {budget: point for budget, point in found.items() if point is not None}


def _row(
    run: str, budget: int, point: Point, mine: np.ndarray, uniform: list[Point], theirs: np.ndarray
) -> BudgetChoice:
    fits = [at for at, one in enumerate(uniform) if one.size <= budget]
    best = max(fits, key=lambda at: float(theirs[at].mean()))
    difference, spread = paired(mine, theirs[best])
    return BudgetChoice(
        run,
        budget,
        point.size,
        float(mine.mean()),
        point.counts(),
        str(uniform[best].uniform),
        uniform[best].size,
        float(theirs[best].mean()),
        difference,
        difference - spread,
        difference + spread,
    )


def paired(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Compute the difference of correct answers (examples,) in points, and its uncertainty.

    The second number is half the width of the 95 % interval. Only examples that exactly one of the
    two answers correctly count.
    """
    count = len(ours)
    gained, lost = int(np.sum(ours & ~theirs)), int(np.sum(~ours & theirs))
    variance = (gained + lost - (gained - lost) ** 2 / count) / count**2
    return 100 * (gained - lost) / count, 100 * 1.96 * math.sqrt(variance)
