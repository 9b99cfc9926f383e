"""Time and memory by the number of experts, from four to thousands.

Missing bundles of random experts of one size are made by `python -m benchmarks synthetic`, which
needs TensorFlow. Each bundle is measured in separate processes: opening it, and answers by four
of its experts, less the time in which the router's interpreter runs.
"""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from edge_experts import subprocesses
from edge_experts.format.manifest import MANIFEST, ROUTER
from edge_experts.runtime import ExpertRuntime, interpreter
from edge_experts.runtime.memory import process_memory

_ASKED = 4  # experts that answer, of any number: more would not fit into the processor's cache
_ANSWERS = 2000
_PROCESSES = 5
_MAKE = ("--inputs", "64", "--hidden", "64", "--quantization", "int8")


@dataclass(frozen=True)
class ScaleFigures:
    """Medians over processes; microseconds and bytes."""

    experts: int
    manifest_bytes: int
    router_bytes: int
    open_us: float
    open_memory: float
    answer_us: float  # without the router's invoke
    router_us: float


def measure_all(folder: Path, counts: Sequence[int]) -> list[ScaleFigures]:
    """Measure a bundle for each number of experts; missing ones are made in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return [measure(_bundle(folder, count), count) for count in counts]


def as_table(sizes: Sequence[ScaleFigures]) -> list[list[str]]:
    """Build one row for each size; ratios are to the first."""
    header = ["experts", "manifest kB", "open ms", "memory kB", "answer µs", "ratio"]
    rows = [
        [
            f"{size.experts:,}",
            f"{size.manifest_bytes / 1000:,.0f}",
            f"{size.open_us / 1000:.1f}",
            f"{size.open_memory / 1000:,.0f}",
            f"{size.answer_us:.1f}",
            f"{size.answer_us / sizes[0].answer_us:.2f}",
            f"{size.router_us:.1f}",
        ]
        for size in sizes
    ]
    return [[*header, "router's invoke µs"], *rows]


def measure(bundle: Path, experts: int) -> ScaleFigures:
    """Measure one bundle, each time in a separate process."""
    found = [subprocesses.call(_once, bundle) for _ in range(_PROCESSES)]
    medians = [statistics.median(one[key] for one in found) for key in range(4)]
    sizes = ((bundle / name).stat().st_size for name in (MANIFEST, ROUTER))
    return ScaleFigures(experts, *sizes, *medians)


def _once(bundle: Path) -> tuple[float, float, float, float]:
    interpreter.description()
    before = process_memory.read().anonymous
    start = perf_counter_ns()
    runtime = ExpertRuntime(bundle, strict=True)
    opened = (perf_counter_ns() - start) / 1000
    grown = process_memory.read().anonymous - before
    inputs = _inputs(runtime)
    router = runtime.models.router
    assert router is not None
    for example in inputs * 3:
        runtime.predict(example)
    rest, alone = [], []
    for example in itertools.islice(itertools.cycle(inputs), _ANSWERS):
        start = perf_counter_ns()
        runtime.predict(example)
        middle = perf_counter_ns()
        router._invoke()
        alone.append((perf_counter_ns() - middle) / 1000)
        rest.append((middle - start) / 1000 - alone[-1])
    return opened, grown, statistics.median(rest), statistics.median(alone)


def _inputs(runtime: ExpertRuntime) -> list[np.ndarray]:
    """Find one input for each of the first few experts that random inputs are routed to."""
    shape = runtime.features.settings["shape"]
    found: dict[int, np.ndarray] = {}
    chance = np.random.default_rng(0)
    while len(found) < _ASKED:
        example = chance.normal(size=shape).astype(np.float32)
        found.setdefault(runtime.predict(example).expert, example)
    runtime.release()
    return list(found.values())


def _bundle(folder: Path, experts: int) -> Path:
    bundle = folder / f"{experts}.bundle"
    if not bundle.exists():
        command = [sys.executable, "-m", "benchmarks", "synthetic", str(bundle)]
        subprocess.run([*command, "--experts", str(experts), *_MAKE], check=True)
    return bundle


def draw(sizes: Sequence[ScaleFigures], path: Path) -> None:
    """Draw a figure; needs matplotlib."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    counts = [size.experts for size in sizes]
    left.plot(counts, [size.answer_us for size in sizes], "o-", label="all but the router")
    left.plot(counts, [size.router_us for size in sizes], "s--", label="the router's invoke")
    left.set(xscale="log", xlabel="experts", ylabel="one answer, µs", ylim=(0, None))
    left.legend()
    manifests = [size.manifest_bytes / 1000 for size in sizes]
    right.plot(manifests, [size.open_us / 1000 for size in sizes], "o-", label="time, ms")
    memories = [size.open_memory / 100_000 for size in sizes]
    right.plot(manifests, memories, "s--", label="memory, 100 kB")
    right.set(xlabel="manifest, kB", ylabel="opening", ylim=(0, None))
    right.legend()
    figure.savefig(path)
