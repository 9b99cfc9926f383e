"""One session of a benchmark: all contenders answer in turn, in a process of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Any

import numpy as np

from ..runtime import ExpertRuntime, Timings
from . import conditions
from .reference import reference_loop


@dataclass(frozen=True)
class Session:
    times: Mapping[str, np.ndarray]  # for each contender microseconds, (rounds, inputs)
    timings: Sequence[Timings]  # of the first contender's answers, one after the other
    under_load: conditions.Conditions


def run(
    contenders: Mapping[str, Path],
    bare: Mapping[str, Path],
    inputs: Sequence[Any],
    *,
    rounds: int,
    seconds: float,
    threads: int,
    seed: int,
) -> Session:
    """Every contender answers every input once a round, for so many rounds and so long at least.

    Args:
        contenders: bundles by what the table calls them.
        bare: bundles whose reference loop takes part, likewise.
    """
    runtimes = {
        name: ExpertRuntime(path, threads=threads, strict=True) for name, path in contenders.items()
    }
    asked: dict[str, Callable[[Any], Any]] = {
        **{name: runtime.predict for name, runtime in runtimes.items()},
        **{name: reference_loop(path, threads) for name, path in bare.items()},
    }
    for answer in asked.values():  # warm-up: everything is loaded and has run twice
        for example in [*inputs, *inputs]:
            answer(example)
    # Another order each time, so that none always meets the caches of the same other; within a
    # round each has the caches to itself, as it would have on a board.
    order, shuffle = list(asked.items()), random.Random(seed).shuffle
    times: dict[str, list[np.ndarray]] = {name: [] for name in asked}
    start, turns = perf_counter(), 0
    while turns < rounds or perf_counter() - start < seconds:
        shuffle(order)
        for name, answer in order:
            times[name].append(_one_round(answer, inputs))
        turns += 1
    under_load = conditions.read()
    predict = next(iter(runtimes.values())).predict
    timings = [predict(example).timings for _ in range(rounds) for example in inputs]
    return Session({name: np.array(rows) for name, rows in times.items()}, timings, under_load)


def _one_round(answer: Callable[[Any], Any], inputs: Sequence[Any]) -> np.ndarray:
    row = np.empty(len(inputs))
    for column, example in enumerate(inputs):
        start = perf_counter_ns()
        answer(example)
        row[column] = perf_counter_ns() - start
    return row / 1000
