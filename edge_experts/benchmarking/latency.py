"""Latency of single answers: the first one of a bundle, and those after a switch of experts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Annotated, Any, TypedDict

import numpy as np

from ..format.manifest import MANIFEST
from ..format.manifest_parser import read_manifest
from ..runtime import ExpertRuntime, Timings
from .bounds import Amount, Length, Positive
from .measure import page_cache


class Percentiles(TypedDict):
    """Percentiles in microseconds."""

    p50: Amount
    p90: Amount
    p99: Amount
    max: Amount


@dataclass(frozen=True)
class Latency:
    """Latency in microseconds, in total and of each part.

    `quantiles_us` are those of the total at 0, 1, 2 ... 100 %, to draw its distribution.
    """

    answers: Positive
    total_us: Percentiles
    parts_us: Annotated[dict[str, Percentiles], Length(0, len(Timings._fields))]
    quantiles_us: Annotated[tuple[float, ...], Length(101, 101)]

    def __post_init__(self) -> None:
        if list(self.quantiles_us) != sorted(self.quantiles_us):
            raise ValueError("quantiles_us must ascend")


def summarize(totals: Sequence[float] | np.ndarray, timings: Sequence[Timings] = ()) -> Latency:
    parts = np.array(timings) if timings else np.empty((0, 0))
    return Latency(
        answers=len(totals),
        total_us=_percentiles(totals),
        parts_us={
            name.removesuffix("_us"): _percentiles(parts[:, column])
            for column, name in enumerate(Timings._fields if timings else ())
        },
        quantiles_us=tuple(round(float(value), 2) for value in np.percentile(totals, range(101))),
    )


def first_answer(
    bundle: Path, inputs: Sequence[Any], repeats: int, threads: int, *, from_storage: bool
) -> Latency | None:
    """Open the bundle and give the first answer, repeatedly.

    Args:
        from_storage: evict the bundle from the page cache before each; returns None if the file
            system keeps it in memory nevertheless.
    """
    evicted = _files(bundle, experts_only=False) if from_storage else []
    if evicted and not page_cache.can_evict(evicted[-1]):
        return None
    totals, timings = [], []
    for turn in range(repeats):
        for path in evicted:
            page_cache.evict(path)
        start = perf_counter_ns()
        with ExpertRuntime(bundle, threads=threads, strict=True) as runtime:
            answer = runtime.predict(inputs[turn % len(inputs)])
            totals.append((perf_counter_ns() - start) / 1000)
        timings.append(answer.timings)
    return summarize(totals, timings)


def switch(
    bundle: Path,
    inputs: Sequence[Any],
    repeats: int,
    threads: int,
    budget: int,
    *,
    from_storage: bool,
) -> Latency | None:
    """Time answers that load an expert, with a budget for one; None if the expert never changes.

    Args:
        inputs: in an order in which the expert changes from one to the next.
        from_storage: as for `first_answer`.
    """
    evicted = _files(bundle, experts_only=True) if from_storage else []
    if evicted and not page_cache.can_evict(evicted[-1]):
        return None
    totals, timings = [], []
    with ExpertRuntime(bundle, memory_budget=budget, threads=threads, strict=True) as runtime:
        for turn in range(repeats):
            for path in evicted:
                page_cache.evict(path)
            before = set(runtime.resident)
            start = perf_counter_ns()
            answer = runtime.predict(inputs[turn % len(inputs)])
            total = (perf_counter_ns() - start) / 1000
            if before and not before.issuperset(answer.experts):
                totals.append(total)
                timings.append(answer.timings)
    return summarize(totals, timings) if totals else None


def _files(bundle: Path, *, experts_only: bool) -> list[Path]:
    manifest = read_manifest(bundle)
    if experts_only:
        return [bundle / entry.path for entry in manifest.experts]
    return [bundle / MANIFEST, *(bundle / entry.path for entry in manifest.files)]


def _percentiles(values: Any) -> Percentiles:
    p50, p90, p99 = (round(float(value), 2) for value in np.percentile(values, (50, 90, 99)))
    return {"p50": p50, "p90": p90, "p99": p99, "max": round(float(np.max(values)), 2)}
