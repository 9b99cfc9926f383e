"""Time answers: cold, after a switch of experts, and warm, side by side with rivals."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from ..runtime import ExpertRuntime, Timings

PERCENTILES = (50, 90, 99)


@dataclass(frozen=True)
class Latency:
    """Microseconds: {"p50", "p90", "p99", "max"} of the whole and of each part."""

    answers: int
    total_us: dict[str, float]
    parts_us: dict[str, dict[str, float]]


def summarize(totals: Sequence[float] | np.ndarray, timings: Sequence[Timings] = ()) -> Latency:
    parts = np.array(timings) if timings else np.empty((0, 0))
    return Latency(
        answers=len(totals),
        total_us=_percentiles(totals),
        parts_us={
            name.removesuffix("_us"): _percentiles(parts[:, column])
            for column, name in enumerate(Timings._fields if timings else ())
        },
    )


def cold(bundle: Path, inputs: Sequence[Any], repeats: int, threads: int) -> Latency:
    """Open the bundle and give the first answer, again and again (files in the page cache)."""
    totals, timings = [], []
    for turn in range(repeats):
        start = perf_counter_ns()
        with ExpertRuntime(bundle, threads=threads) as runtime:
            answer = runtime.predict(inputs[turn % len(inputs)])
            totals.append((perf_counter_ns() - start) / 1000)
        timings.append(answer.timings)
    return summarize(totals, timings)


def switch(
    bundle: Path, inputs: Sequence[Any], repeats: int, threads: int, budget: int
) -> Latency | None:
    """Answers whose expert was not in memory, with room for one; None where none ever switched.

    Args:
        inputs: in such an order that the expert changes from one to the next.
    """
    totals, timings = [], []
    with ExpertRuntime(bundle, memory_budget=budget, threads=threads) as runtime:
        for turn in range(repeats):
            before = runtime.resident
            start = perf_counter_ns()
            answer = runtime.predict(inputs[turn % len(inputs)])
            total = (perf_counter_ns() - start) / 1000
            if before and runtime.resident != before:
                totals.append(total)
                timings.append(answer.timings)
    return summarize(totals, timings) if totals else None


def warm(
    contenders: dict[str, Callable[[Any], Any]], inputs: Sequence[Any], rounds: int
) -> dict[str, np.ndarray]:
    """Every contender answers the same inputs in turn, so that drifts of the machine hit all.

    Returns:
        For each contender its times in microseconds, (rounds, inputs).
    """
    for answer in contenders.values():  # warm-up: everything is loaded and has run twice
        for example in [*inputs, *inputs]:
            answer(example)
    times = {name: np.empty((rounds, len(inputs))) for name in contenders}
    order, shuffle = list(contenders.items()), random.Random(0).shuffle
    for turn in range(rounds):
        # Another order each time, so that none always meets the caches of the same other; within
        # a turn each has the caches to itself, as it would have on a board.
        shuffle(order)
        for name, answer in order:
            row = times[name][turn]
            for column, example in enumerate(inputs):
                start = perf_counter_ns()
                answer(example)
                row[column] = perf_counter_ns() - start
    return {name: array / 1000 for name, array in times.items()}


def _percentiles(values: Any) -> dict[str, float]:
    found = {
        f"p{rank}": round(float(value), 2)
        for rank, value in zip(PERCENTILES, np.percentile(values, PERCENTILES), strict=True)
    }
    return {**found, "max": round(float(np.max(values)), 2)}
