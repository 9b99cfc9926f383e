"""Soak test: many requests in many threads (`python -m benchmarks soak` makes a million).

Threads share a runtime whose budget holds a few experts. Half of the requests need random experts,
half need few of them most of the time (Zipf's law). Every answer must equal the one of a single
thread with all experts in memory, the budget must hold, and memory must not grow.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from edge_experts.errors import ThresholdError, UsageError
from edge_experts.format.install_root import resolve
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import ExpertRuntime, golden
from edge_experts.runtime.memory import process_memory

_INPUTS = 4096
_LEVEL = 1_000_000  # bytes by which the last quarter may exceed the second
_SAMPLES = 400
_ZIPF = 1.2  # the exponent: the first of 64 experts gets a third of the requests


@dataclass(frozen=True)
class Soak:
    """Results; memory is anonymous and shared, in bytes, the median of a quarter of the time.

    Tokens are those that a language model wrote.
    """

    requests: int
    tokens: int
    threads: int
    experts: int
    budget_bytes: int
    seconds: float
    wrong: int
    over_budget: int
    most_bytes: int
    quarters: tuple[int, ...]

    def refuse(self) -> None:
        """Raise ThresholdError after a wrong answer, an exceeded budget, or memory growth."""
        grown = self.quarters[3] - self.quarters[1]
        if self.wrong or self.over_budget or grown > _LEVEL:
            raise ThresholdError(
                f"{self.wrong} wrong answers, budget exceeded {self.over_budget} times, memory "
                f"grew by {grown:,} bytes (at most {_LEVEL:,})"
            )


class _Work:
    """Requests of the threads, each in an order of its own, and the expected answers."""

    def __init__(self, bundle: Path, runtime: ExpertRuntime, budget: int, requests: int):
        self.runtime, self.budget, self.requests = runtime, budget, requests
        with ExpertRuntime(bundle, strict=True) as alone:
            self.inputs = _inputs(bundle, alone)
            answers = [alone.predict(example) for example in self.inputs]
        self.expected = [(answer.text, answer.scores) for answer in answers]
        experts = np.array([answer.expert for answer in answers])
        self.rows = [np.flatnonzero(experts == expert) for expert in np.unique(experts)]
        self.done = self.tokens = self.wrong = self.over = self.most = 0
        self.levels: list[tuple[int, int]] = []
        self._lock = threading.Lock()

    def go(self, requests: int, seed: int) -> None:
        chance = np.random.default_rng(seed)
        count = len(self.rows)
        shares = 1 / np.arange(1, count + 1) ** _ZIPF
        half = requests // 2
        asked = np.concatenate(
            [
                chance.integers(count, size=requests - half),
                chance.choice(count, size=half, p=shares / shares.sum()),
            ]
        )
        for expert in chance.permutation(asked):
            row = int(chance.choice(self.rows[expert]))
            answer = self.runtime.predict(self.inputs[row])
            text, scores = self.expected[row]
            used = self.runtime.resident_bytes
            with self._lock:
                self.done += 1
                self.tokens += answer.tokens or 0
                self.wrong += answer.text != text or not np.array_equal(answer.scores, scores)
                self.over += used > self.budget
                self.most = max(self.most, used)
                self._sample()

    def _sample(self) -> None:
        """Read the memory at fixed numbers of answers, so that each quarter has samples.

        A clock would leave quarters without one where the threads are faster than its reader.
        """
        if self.done * _SAMPLES > len(self.levels) * self.requests:
            memory = process_memory.read()
            self.levels.append((self.done, memory.anonymous + memory.shared))


def soak(bundle: Path, *, requests: int, threads: int = 4, experts: int = 4) -> Soak:
    """Send requests in several threads, with a memory budget that holds a few experts."""
    each = requests // threads
    if each < 4:
        raise UsageError(f"requests: {requests} for {threads} threads; each thread needs four")
    manifest = read_manifest(resolve(bundle))
    largest = max(entry.resident_bytes for entry in manifest.experts)
    # A language model's texts each keep keys and values.
    texts = threads if manifest.dense else 1
    with ExpertRuntime(bundle, sequences=texts) as empty:
        budget = experts * largest + empty.resident_bytes
    with ExpertRuntime(bundle, memory_budget=budget, sequences=texts, strict=True) as runtime:
        work = _Work(bundle, runtime, budget, each * threads)
        start = perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            running = [pool.submit(work.go, each, seed) for seed in range(threads)]
        for one in running:
            one.result()
        seconds = perf_counter() - start
    return Soak(
        requests=work.done,
        tokens=work.tokens,
        threads=threads,
        experts=len(work.rows),
        budget_bytes=budget,
        seconds=round(seconds, 1),
        wrong=int(work.wrong),
        over_budget=int(work.over),
        most_bytes=work.most,
        quarters=_quarters(work.levels, work.done),
    )


def _inputs(bundle: Path, runtime: ExpertRuntime) -> Sequence[Any]:
    """Select examples that need as many experts as possible: random ones for plain arrays.

    Of the texts of a language model's golden examples, beginnings of any length.
    """
    if runtime.manifest.dense:
        texts = golden.read(resolve(bundle)).inputs
        return [text[:end] for text in texts for end in range(1, len(text) + 1)]
    if runtime.features.kind != "array":
        return golden.read(resolve(bundle)).inputs
    shape = runtime.features.settings["shape"]
    return list(np.random.default_rng(0).normal(size=(_INPUTS, *shape)).astype(np.float32))


def _quarters(levels: Sequence[tuple[int, int]], requests: int) -> tuple[int, ...]:
    """Compute the median level of each quarter of the requests; done counts from 1."""
    found: list[list[int]] = [[], [], [], []]
    for done, level in levels:
        found[4 * (done - 1) // requests].append(level)
    return tuple(int(np.median(quarter)) for quarter in found)
