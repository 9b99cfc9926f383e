"""Memory and latency of many large experts by the memory budget, beside one dense network.

Both have the same bytes of weights. Missing bundles of random weights, which do not change memory
or time, are made by `python -m benchmarks synthetic`, which needs TensorFlow. Each row is measured
in a separate process: random inputs in random order, which is the hardest case for a cache.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from edge_experts import subprocesses
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import ExpertRuntime, interpreter
from edge_experts.runtime.memory import process_memory

_ANSWERS = 1000
_INPUTS, _LABELS = 64, 10
_MB = 1_000_000


@dataclass(frozen=True)
class MemoryRow:
    """One row; bytes and microseconds.

    Attributes:
        resident: experts that fit in the budget; None without a budget, and for the dense network.
        file_bytes: of all TFLite files.
        growth_bytes: resident memory of the process at its peak, above that of Python with the
            interpreter.
        visited: experts that answered.
        loads: answers that had to load their expert.
        p50_us, p99_us: of all answers, loading included; files are in the page cache.
    """

    name: str
    resident: int | None
    file_bytes: int
    growth_bytes: int
    visited: int
    loads: int
    answers: int
    p50_us: float
    p99_us: float


def measure_all(folder: Path, experts: int, units: int, resident: Sequence[int]) -> list[MemoryRow]:
    """Measure the experts with each budget, without one, and the dense network.

    Args:
        folder: of the bundles; missing ones are made.
        units: of both hidden layers of an expert.
        resident: numbers of experts that a budget holds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sparse = _bundle(folder, experts, units)
    dense = _bundle(folder, 1, units_of_all(experts, units))
    manifest = read_manifest(sparse)
    assert manifest.router is not None
    router, expert = manifest.router.resident_bytes, manifest.experts[0].resident_bytes
    rows = [
        subprocesses.call(_measure, sparse, f"room for {count}", count, router + count * expert)
        for count in resident
    ]
    rows.append(subprocesses.call(_measure, sparse, "no budget", None, None))
    return [*rows, subprocesses.call(_measure, dense, "dense network", None, None)]


def units_of_all(experts: int, units: int) -> int:
    """Compute the units of both hidden layers of a dense network with the weights of all experts.

    A network with layers of u units has u**2 + (inputs + labels) * u weights.
    """
    ends = _INPUTS + _LABELS
    weights = experts * (units**2 + ends * units)
    return round((math.sqrt(ends**2 + 4 * weights) - ends) / 2)


def as_table(rows: Sequence[MemoryRow]) -> list[list[str]]:
    """Build one line for each row."""
    header = ["", "files MB", "memory growth MB", "experts used", "answers that load", "p50 ms"]
    lines = [
        [
            row.name,
            f"{row.file_bytes / _MB:,.1f}",
            f"{row.growth_bytes / _MB:,.1f}",
            str(row.visited),
            f"{100 * row.loads / row.answers:.0f} %",
            f"{row.p50_us / 1000:.2f}",
            f"{row.p99_us / 1000:.2f}",
        ]
        for row in rows
    ]
    return [[*header, "p99 ms"], *lines]


def draw(rows: Sequence[MemoryRow], path: Path) -> None:
    """Draw memory growth and latency of each row; needs matplotlib."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (upper, lower) = plt.subplots(  # one above the other: to be read on a phone too
        2, 1, figsize=(6, 1.6 + 0.7 * len(rows)), layout="constrained"
    )
    names = [row.name for row in rows]
    colors = ["tab:gray" if row.name == "dense network" else "tab:blue" for row in rows]
    panels = (
        (upper, "peak memory above Python's, MB", [row.growth_bytes / _MB for row in rows]),
        (lower, "median answer, ms", [row.p50_us / 1000 for row in rows]),
    )
    for axes, title, values in panels:
        bars = axes.barh(names, values, color=colors)
        axes.bar_label(bars, fmt="%.3g", padding=3)
        axes.set_title(title, fontsize=12, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.2)
        axes.invert_yaxis()
    figure.savefig(path)


def _measure(bundle: Path, name: str, resident: int | None, budget: int | None) -> MemoryRow:
    interpreter.description()  # imports the interpreter, which belongs to the base
    inputs = np.random.default_rng(0).normal(size=(_ANSWERS, _INPUTS)).astype(np.float32)
    process_memory.reset_peak()
    base = process_memory.read().resident
    times, visited, loads = [], set(), 0
    with ExpertRuntime(bundle, memory_budget=budget, strict=True) as runtime:
        for example in inputs:
            before = runtime.resident
            start = perf_counter_ns()
            answer = runtime.predict(example)
            times.append((perf_counter_ns() - start) / 1000)
            visited.add(answer.expert)
            loads += answer.expert not in before
        growth = process_memory.read().peak - base
        entries = [*runtime.manifest.routers, *runtime.manifest.experts]
    return MemoryRow(
        name=name,
        resident=resident,
        file_bytes=sum(entry.bytes for entry in entries),
        growth_bytes=growth,
        visited=len(visited),
        loads=loads,
        answers=len(times),
        p50_us=statistics.median(times),
        p99_us=statistics.quantiles(times, n=100)[98],
    )


def _bundle(folder: Path, experts: int, units: int) -> Path:
    bundle = folder / f"{experts}-of-{units}.bundle"
    if not bundle.exists():
        command = [sys.executable, "-m", "benchmarks", "synthetic", str(bundle)]
        sizes = ["--experts", str(experts), "--hidden", f"{units},{units}"]
        shapes = ["--inputs", str(_INPUTS), "--labels", str(_LABELS)]
        subprocess.run([*command, *sizes, *shapes], check=True)
    return bundle
