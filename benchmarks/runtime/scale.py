"""From 4 to thousands of experts: `python -m benchmarks.runtime.scale FOLDER`.

FOLDER is filled, where they are missing, with bundles of random experts of one size, made by
`python -m benchmarks.converting.synthetic` (which needs TensorFlow). Each bundle is measured in
processes of its own: opening it, and answers by four of its experts, the time in which the router's
interpreter runs taken off.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from edge_experts import subprocesses
from edge_experts.format.manifest import MANIFEST, ROUTER
from edge_experts.runtime import ExpertRuntime, interpreter
from edge_experts.runtime.memory import process_memory

_COUNTS = (4, 16, 64, 256, 1024, 4096)
_ASKED = 4  # experts, whatever their number: more would not fit into the processor's cache
_ANSWERS = 2000
_PROCESSES = 5
_MAKE = ("--inputs", "64", "--hidden", "64", "--quantization", "int8")


@dataclass(frozen=True)
class Size:
    """Medians over processes; microseconds and bytes."""

    experts: int
    manifest_bytes: int
    router_bytes: int
    open_us: float
    open_memory: float
    answer_us: float  # without the router's invoke
    router_us: float


def measure(bundle: Path, experts: int) -> Size:
    """Measure one bundle, each time in a process of its own."""
    found = [subprocesses.call(_once, bundle) for _ in range(_PROCESSES)]
    medians = [statistics.median(one[key] for one in found) for key in range(4)]
    sizes = ((bundle / name).stat().st_size for name in (MANIFEST, ROUTER))
    return Size(experts, *sizes, *medians)


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
    """Inputs of the first few experts that random inputs need, one for each."""
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
        command = [sys.executable, "-m", "benchmarks.converting.synthetic", str(bundle)]
        subprocess.run([*command, "--experts", str(experts), *_MAKE], check=True)
    return bundle


def draw(sizes: Sequence[Size], path: Path) -> None:
    """A picture; needs matplotlib."""
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


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=_COUNTS)
    parser.add_argument("--picture", type=Path, help="also draw, with matplotlib")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    asked.folder.mkdir(parents=True, exist_ok=True)
    sizes = [measure(_bundle(asked.folder, count), count) for count in asked.counts]
    if asked.picture is not None:
        draw(sizes, asked.picture)
    if asked.json:
        print(json.dumps({"schema_version": "1.0", "sizes": [asdict(size) for size in sizes]}))
        return
    print("experts  manifest kB  open ms  memory kB  answer µs  ratio  router's invoke µs")
    for size in sizes:
        print(
            f"{size.experts:7,} {size.manifest_bytes / 1000:12,.0f} {size.open_us / 1000:8.1f} "
            f"{size.open_memory / 1000:10,.0f} {size.answer_us:10.1f} "
            f"{size.answer_us / sizes[0].answer_us:6.2f} {size.router_us:10.1f}"
        )


if __name__ == "__main__":
    main()
