"""Latency and memory growth of warm answers, for every delegate and number of threads.

Each setting of `ExpertRuntime` has separate processes, with all experts of the golden inputs in
memory.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, perf_counter_ns

from edge_experts import subprocesses
from edge_experts.runtime import ExpertRuntime, golden, interpreter
from edge_experts.runtime.interpreter import Delegate
from edge_experts.runtime.memory import process_memory

_PROCESSES = 3
_ROUNDS = 40
_SETTINGS = ((1, 1), (2, 1), (4, 1), (1, 2), (1, 4))  # threads and callers
_DELEGATES: tuple[Delegate, ...] = ("xnnpack", "none")


@dataclass(frozen=True)
class Setting:
    """Medians over processes; `growth_bytes` is anonymous memory."""

    delegate: str
    threads: int
    callers: int  # threads of the program that share the runtime
    answer_us: float  # of one caller; with several callers the time divided by all answers
    growth_bytes: float


def measure(bundle: Path) -> list[Setting]:
    """Measure every setting."""
    found = []
    for delegate in _DELEGATES:
        for threads, callers in _SETTINGS:
            runs = [
                subprocesses.call(_once, bundle, delegate, threads, callers)
                for _ in range(_PROCESSES)
            ]
            medians = (statistics.median(run[key] for run in runs) for key in range(2))
            found.append(Setting(delegate, threads, callers, *medians))
    return found


def as_table(settings: Sequence[Setting]) -> list[list[str]]:
    """Build one row for each setting."""
    rows = [
        [
            setting.delegate,
            str(setting.threads),
            str(setting.callers),
            f"{setting.answer_us:.1f}",
            f"{setting.growth_bytes / 1000:,.0f}",
        ]
        for setting in settings
    ]
    return [["delegate", "threads", "callers", "answer µs", "growth kB"], *rows]


def _once(bundle: Path, delegate: Delegate, threads: int, callers: int) -> tuple[float, float]:
    inputs = golden.read(bundle).inputs
    interpreter.description()
    before = process_memory.read().anonymous
    with ExpertRuntime(bundle, delegate=delegate, threads=threads, strict=True) as runtime:
        for example in [*inputs, *inputs]:
            runtime.predict(example)
        grown = process_memory.read().anonymous - before
        if callers == 1:
            times = []
            for _ in range(_ROUNDS):
                for example in inputs:
                    start = perf_counter_ns()
                    runtime.predict(example)
                    times.append((perf_counter_ns() - start) / 1000)
            return statistics.median(times), grown

        def ask(_: int) -> None:
            for _ in range(_ROUNDS):
                for example in inputs:
                    runtime.predict(example)

        with ThreadPoolExecutor(callers) as pool:
            begin = perf_counter()
            list(pool.map(ask, range(callers)))
            took = perf_counter() - begin
        return took * 1e6 / (callers * _ROUNDS * len(inputs)), grown
