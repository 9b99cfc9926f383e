"""Session of a benchmark: all contenders answer in turn, in a separate process."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, perf_counter_ns
from types import MappingProxyType
from typing import Any

import numpy as np

from ..runtime import Answer, ExpertRuntime, Timings
from . import contender
from .measure import conditions
from .reference_loop import reference_loop

_LEAST_ROUNDS = 2  # for slow answers too


@dataclass(frozen=True)
class Session:
    """Measurements of each contender, by its name.

    Attributes:
        times: microseconds, (rounds, inputs).
        timings: of the first contender's answers, one after the other.
        tokens: of contenders that generate text: the tokens of each answer, (inputs,).
        first_us: likewise: microseconds to the first token, (rounds, inputs).
    """

    times: Mapping[str, np.ndarray]
    timings: Sequence[Timings]
    under_load: conditions.Conditions
    tokens: Mapping[str, np.ndarray] = field(default_factory=dict)
    first_us: Mapping[str, np.ndarray] = field(default_factory=dict)


def run(
    contenders: Mapping[str, Path],
    bare: Mapping[str, Path],
    inputs: Sequence[Any],
    *,
    rounds: int,
    seconds: float,
    patience: float = math.inf,
    threads: int,
    seed: int,
    routing: Mapping[str, Any] = MappingProxyType({}),
) -> Session:
    """Let every contender answer every input once a round, for at least `rounds` and `seconds`.

    For slow answers there are fewer rounds: none but the second begins after `patience`, in
        seconds.

    Args:
        contenders: bundles, or networks in ONNX Runtime, by their names in the table; a bundle
            first.
        bare: bundles whose reference loop takes part, likewise.
        routing: options of `RoutingOptions` for the first bundle.
    """
    first_name = next(iter(contenders))
    runtimes = {
        name: contender.opened(path, threads=threads, routing=routing if name == first_name else {})
        for name, path in contenders.items()
    }
    asked: dict[str, Callable[[Any], Any]] = {
        **{name: runtime.predict for name, runtime in runtimes.items()},
        **{name: reference_loop(path, threads) for name, path in bare.items()},
    }
    for answer in asked.values():  # warm-up: everything is loaded and has run twice
        for example in [*inputs, *inputs]:
            answer(example)
    # Another order each time, so that no contender always runs after the same other one; within a
    # round each has the caches to itself, as it would on a board.
    order, shuffle = list(asked.items()), random.Random(seed).shuffle
    times: dict[str, list[np.ndarray]] = {name: [] for name in asked}
    tokens: dict[str, np.ndarray] = {}
    first: dict[str, list[list[float]]] = defaultdict(list)
    start, turns = perf_counter(), 0
    while _goes_on(turns, perf_counter() - start, rounds, seconds, patience):
        shuffle(order)
        for name, answer in order:
            row, written = _one_round(answer, inputs)
            times[name].append(row)
            if written:
                tokens[name] = np.array([count for count, _ in written])
                first[name].append([first_us for _, first_us in written])
        turns += 1
    under_load = conditions.read()
    ours = next(iter(runtimes.values()))
    assert isinstance(ours, ExpertRuntime), "the first contender is a bundle"
    again = turns if turns >= rounds else _LEAST_ROUNDS
    timings = [ours.predict(example).timings for _ in range(again) for example in inputs]
    return Session(_arrays(times), timings, under_load, tokens, _arrays(first))


def _goes_on(turns: int, passed: float, rounds: int, seconds: float, patience: float) -> bool:
    if turns < rounds:
        return turns < _LEAST_ROUNDS or passed < max(seconds, patience)
    return passed < seconds


def _one_round(
    answer: Callable[[Any], Any], inputs: Sequence[Any]
) -> tuple[np.ndarray, list[tuple[int, float]]]:
    """Time each input in microseconds; for generated text also tokens and time to the first."""
    row, written = np.empty(len(inputs)), []
    for column, example in enumerate(inputs):
        start = perf_counter_ns()
        answered = answer(example)
        row[column] = perf_counter_ns() - start
        if isinstance(answered, Answer) and answered.tokens is not None:
            written.append((answered.tokens, answered.first_us or 0.0))
        del answered  # its memory is free for the next one
    return row / 1000, written


def _arrays(rows: Mapping[str, list[Any]]) -> dict[str, np.ndarray]:
    return {name: np.array(values) for name, values in rows.items()}
