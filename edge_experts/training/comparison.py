"""Sparse experts beside dense networks, trained alike, converted alike, measured as deployed."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..benchmarking.intervals import student_t
from ..bundle import Manifest
from ..converters import Conversion, convert
from ..datasets import Dataset
from ..errors import UsageError
from .config import TrainConfig
from .recipes import config_for
from .trainer import train

SCHEMA_VERSION = "1.0"
SPARSE, DENSE_ACTIVE, DENSE_ALL = "sparse", "dense-active", "dense-all"
CONTENDERS = {SPARSE: None, DENSE_ACTIVE: "active", DENSE_ALL: "all"}

MAX_SEEDS = 10
_LEAST_GAP = 0.01  # between the dense networks; below it, a share of the gap means nothing


@dataclass(frozen=True)
class Contender:
    """One row: accuracy as deployed for each seed, and what the network costs a device."""

    name: str
    accuracies: tuple[float, ...]
    float_accuracies: tuple[float, ...]
    macs: int
    total_bytes: int
    resident_bytes: int

    @property
    def accuracy(self) -> float:
        return statistics.mean(self.accuracies)


@dataclass(frozen=True)
class Comparison:
    data: str
    examples: int
    quantization: str
    seeds: tuple[int, ...]
    rows: tuple[Contender, ...]

    @property
    def gap_closed(self) -> float | None:
        """(sparse - dense active) / (dense all - dense active), None where the gap is too small."""
        sparse, active, everything = (row.accuracy for row in self.rows)
        gap = everything - active
        return None if gap < _LEAST_GAP else (sparse - active) / gap

    @property
    def gap_interval(self) -> tuple[float, float] | None:
        """A 95 % confidence interval of the gap closed over seeds, the gap taken as its mean."""
        if self.gap_closed is None or len(self.seeds) < 2:
            return None
        sparse, active, everything = self.rows
        gap = everything.accuracy - active.accuracy
        gains = [
            (ours - theirs) / gap
            for ours, theirs in zip(sparse.accuracies, active.accuracies, strict=True)
        ]
        half = student_t(len(gains) - 1) * statistics.stdev(gains) / math.sqrt(len(gains))
        return self.gap_closed - half, self.gap_closed + half

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "data": self.data,
            "examples": self.examples,
            "quantization": self.quantization,
            "seeds": list(self.seeds),
            "rows": [
                {
                    "name": row.name,
                    "accuracy": round(row.accuracy, 6),
                    "accuracies": list(row.accuracies),
                    "float_accuracies": list(row.float_accuracies),
                    "macs": row.macs,
                    "total_bytes": row.total_bytes,
                    "resident_bytes": row.resident_bytes,
                }
                for row in self.rows
            ],
            "gap_closed": self.gap_closed,
            "gap_closed_interval": self.gap_interval,
        }


def compare(
    dataset: Dataset,
    folder: Path,
    *,
    config: TrainConfig | None = None,
    seeds: Sequence[int] = (0,),
    quantization: str = "int8",
) -> Comparison:
    """Train and convert every contender for every seed; runs and bundles are left in `folder`.

    With one seed they are `folder/sparse.bundle`, `folder/dense-all.bundle` and so on; with
    several, each seed has a folder of its own.
    """
    config = config or config_for(dataset.kind)
    if config.dense is not None:
        raise UsageError("compare trains the dense networks itself; leave `dense` out")
    if not 1 <= len(seeds) <= MAX_SEEDS:
        raise UsageError(f"seeds must be from 1 to {MAX_SEEDS}, got {len(seeds)}")
    made: dict[str, list[tuple[Conversion, float, int]]] = {name: [] for name in CONTENDERS}
    for seed in seeds:
        place = folder if len(seeds) == 1 else folder / f"seed-{seed}"
        place.mkdir(parents=True, exist_ok=True)
        for name, dense in CONTENDERS.items():
            print(f"{name}, seed {seed}", file=sys.stderr)
            run = train(
                dataset,
                place / f"{name}.run",
                replace(config, seed=seed, dense=dense),
                force=True,
                name=f"{dataset.name}-{name}",
            )
            conversion = convert(
                place / f"{name}.run",
                place / f"{name}.bundle",
                quantization=quantization,
                force=True,
            )
            metrics = run.metrics
            made[name].append((conversion, metrics["test_accuracy"], metrics["macs"]["active"]))
    return Comparison(
        data=dataset.name,
        examples=made[SPARSE][0][0].test_examples,
        quantization=quantization,
        seeds=tuple(seeds),
        rows=tuple(
            Contender(
                name=name,
                accuracies=tuple(one.test_accuracy for one, _, _ in results),
                float_accuracies=tuple(accuracy for _, accuracy, _ in results),
                macs=results[0][2],
                total_bytes=sum(entry.bytes for entry in results[0][0].manifest.files),
                resident_bytes=_resident(results[0][0].manifest),
            )
            for name, results in made.items()
        ),
    )


def _resident(manifest: Manifest) -> int:
    """What must be in memory to answer: the router and the `top_k` largest experts."""
    router = 0 if manifest.router is None else manifest.router.bytes
    largest = sorted((entry.bytes for entry in manifest.experts), reverse=True)
    return router + sum(largest[: manifest.top_k])


def as_text(result: Comparison) -> str:
    """The comparison as a table, with what it says in words."""
    from ..benchmarking.table import aligned

    table = [["as deployed", "accuracy", "float", "multiply-adds", "files kB", "resident kB"]]
    for row in result.rows:
        accuracies = [f"{row.accuracy:.4f}", f"{statistics.mean(row.float_accuracies):.4f}"]
        sizes = [f"{row.total_bytes / 1000:.0f}", f"{row.resident_bytes / 1000:.0f}"]
        table.append([row.name, *accuracies, f"{row.macs:,}", *sizes])
    lines = aligned(table)
    several = f", means of {len(result.seeds)} seeds" if len(result.seeds) > 1 else ""
    lines.append(
        f"({result.data}, {result.examples:,} test examples, {result.quantization}{several})"
    )
    if result.gap_closed is None:
        lines.append(
            "The two dense networks differ by less than one point here, so that there is no gap "
            "for experts to close."
        )
    else:
        interval = result.gap_interval
        shown = "" if interval is None else f" (95 %: {interval[0]:.2f} to {interval[1]:.2f})"
        lines.append(
            f"Sparse experts close {result.gap_closed:.2f} of the gap between them{shown}."
        )
    return "\n".join(lines)
