"""Speed of a layered bundle by plain interpreters and by slots, with forced routing.

Each figure is of a separate process; rounds of all settings are interleaved, and medians shown.
All files are in the page cache: what is read is counted, and costs a copy, not the storage.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts import ExpertRuntime, subprocesses
from edge_experts.errors import UsageError
from edge_experts.format.install_root import is_root
from edge_experts.runtime.memory import process_memory
from edge_experts.runtime.packed import scheme

SHARES: Mapping[str, float | None] = {"all": None, "half": 0.5, "quarter": 0.25}
TRACES = ("uniform", "zipf")
_EXPONENT, _OVERLAP = 0.9, 0.48  # of Zipf's law; share of a token's experts that stay for the next
_CONTEXT, _WARM = 512, 16  # tokens: reserved; computed before the clock starts
_MB = 1e6


@dataclass(frozen=True)
class Figures:
    """Of one setting: speed, processor time, bytes read and memory."""

    scheme: str
    memory: str
    trace: str
    tokens_per_second: float
    cpu_ms: float  # of all threads, for each token
    read_mb: float  # for each token
    miss_rate: float
    private_mb: float  # anonymous and shared pages of the whole process, at the end

    def cells(self) -> list[str]:
        numbers = (self.tokens_per_second, self.cpu_ms, self.read_mb)
        return [
            *(self.memory, self.trace, self.scheme),
            *(f"{one:.2f}" for one in numbers),
            f"{self.miss_rate:.3f}",
            f"{self.private_mb:.0f}",
        ]


HEADER = ["memory", "trace", "scheme", "tokens/s", "CPU ms", "MB read", "misses", "private MB"]


def measure(
    root: Path, *, tokens: int, rounds: int, threads: int, schemes: Sequence[str]
) -> list[Figures]:
    """Measure every scheme, share of memory and trace.

    Args:
        root: install root of a language model with packed experts.
        tokens: measured in each process; they follow `_WARM` others.

    Raises:
        UsageError: nothing is installed there.
    """
    if not is_root(root):
        raise UsageError(f"{root}: must be a folder of `edge-experts install`")
    settings = [(name, share, trace) for share in SHARES for trace in TRACES for name in schemes]
    found: dict[tuple[str, str, str], list[Figures]] = {one: [] for one in settings}
    for seed in range(rounds):
        for setting in settings:
            made = subprocesses.call(run, root, *setting, tokens=tokens, threads=threads, seed=seed)
            found[setting].append(made)
    return [_median(rows) for rows in found.values()]


def run(
    root: Path, name: str, share: str, trace: str, *, tokens: int, threads: int, seed: int
) -> Figures:
    """Measure one setting in this process."""
    budget = _budget(root, SHARES[share])
    os.environ[scheme.CHOICE] = name
    with ExpertRuntime(root, memory_budget=budget, context=_CONTEXT, threads=threads) as runtime:
        task: Any = runtime.task
        cache, _ = task._caches.take(())
        network = task._network(runtime.access)
        routed = _forced(runtime, trace, tokens + _WARM, seed)
        for _ in range(_WARM):
            next(routed)
            network.logits(network.rows([5], cache))
        gc.collect()
        use = network.use
        before = use.loads, use.hits, use.bytes_read
        start, started = time.perf_counter(), time.process_time()
        for _ in range(tokens):
            next(routed)
            network.logits(network.rows([5], cache))
        seconds, cpu = time.perf_counter() - start, time.process_time() - started
        loads, hits, read = (
            after - one
            for after, one in zip((use.loads, use.hits, use.bytes_read), before, strict=True)
        )
        memory = process_memory.read()
    return Figures(
        name,
        share,
        trace,
        tokens / seconds,
        1000 * cpu / tokens,
        read / tokens / _MB,
        loads / (loads + hits),
        (memory.anonymous + memory.shared) / _MB,
    )


def _budget(root: Path, share: float | None) -> int | None:
    """Compute a budget, the same for all schemes: a share of the experts' files, and the rest."""
    if share is None:
        return None
    os.environ[scheme.CHOICE] = scheme.PLAIN
    with ExpertRuntime(root, context=_CONTEXT) as runtime:
        beside = runtime.resident_bytes
        return beside + round(share * sum(entry.bytes for entry in runtime.manifest.experts))


def _forced(runtime: ExpertRuntime, trace: str, tokens: int, seed: int) -> Iterator[None]:
    """Force the routing: yields before each token, whose experts are then chosen."""
    layers, top = runtime.access.layers, runtime.manifest.top_k
    random = np.random.default_rng(seed)
    logits = [np.zeros((1, len(layer.places)), np.float32) for layer in layers]
    for layer, row in zip(layers, logits, strict=True):
        original = layer.route

        def route(arrays: Any, original: Any = original, row: np.ndarray = row) -> np.ndarray:
            original(arrays)  # its time counts
            return row.copy()

        layer.route = route
    chances, chosen = [], []
    for row in logits:
        count = row.shape[1]
        chance = np.ones(count) if trace == "uniform" else np.arange(1, count + 1.0) ** -_EXPONENT
        chances.append(random.permutation(chance / chance.sum()))
        chosen.append(random.choice(count, top, replace=False, p=chances[-1]))
    for _ in range(tokens):
        for number, row in enumerate(logits):
            kept = np.array([], int)
            if trace == "zipf":
                kept = chosen[number][random.random(top) < _OVERLAP]
            chance = chances[number].copy()
            chance[kept] = 0
            more = random.choice(
                len(chance), top - len(kept), replace=False, p=chance / chance.sum()
            )
            chosen[number] = np.concatenate([kept, more])
            row[:] = -20
            row[0, chosen[number]] = random.normal(size=top)
        yield


def _median(rows: Sequence[Figures]) -> Figures:
    first = asdict(rows[0])
    numbers = {
        name: statistics.median(getattr(one, name) for one in rows)
        for name, value in first.items()
        if isinstance(value, float)
    }
    return Figures(**{**first, **numbers})
