"""Ways to load an expert: from bytes or from a path, with and without a check.

Bare interpreters, each way in separate processes: construct, allocate and run twice, with the
files in the page cache. The figures are processor time and memory growth: anonymous pages, and
pages of the file, which the system may evict and then reads again, unchecked.
"""

from __future__ import annotations

import hashlib
import mmap
import statistics
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import thread_time_ns
from typing import Any

import numpy as np

from edge_experts import subprocesses
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import ExpertRuntime, golden, interpreter
from edge_experts.runtime.memory import allocator, process_memory

_PROCESSES = 5
_LOADS = 40


def _from_bytes(check: Callable[[bytes], object] | None) -> Callable[[Path], dict[str, Any]]:
    def load(path: Path) -> dict[str, Any]:
        content = path.read_bytes()
        if check is not None:
            check(content)
        return {"model_content": content}

    return load


def _from_path(path: Path) -> dict[str, Any]:
    return {"model_path": str(path)}


def _from_checked_path(path: Path) -> dict[str, Any]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        zlib.crc32(mapped)
    return {"model_path": str(path)}


WAYS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "path (mapped, unchecked)": _from_path,
    "path, mapping + crc32": _from_checked_path,
    "bytes, unchecked": _from_bytes(None),
    "bytes + crc32": _from_bytes(zlib.crc32),
    "bytes + sha256": _from_bytes(lambda content: hashlib.sha256(content).digest()),
}


@dataclass(frozen=True)
class Way:
    """Medians over processes."""

    name: str
    load_us: float
    anonymous_bytes: float
    file_bytes: float


def measure(bundle: Path) -> list[Way]:
    """Measure every way, on the bundle's experts in turn."""
    found = []
    for name in WAYS:
        runs = [subprocesses.call(_once, bundle, name) for _ in range(_PROCESSES)]
        found.append(Way(name, *(statistics.median(run[key] for run in runs) for key in range(3))))
    return found


def as_table(ways: Sequence[Way]) -> list[list[str]]:
    """Build one row for each way; ratios are to the first."""
    rows = [
        [
            way.name,
            f"{way.load_us / 1000:.2f}",
            f"{way.load_us / ways[0].load_us:.2f}",
            f"{way.anonymous_bytes / 1000:,.0f}",
            f"{way.file_bytes / 1000:,.0f}",
        ]
        for way in ways
    ]
    return [["way", "load ms", "ratio", "anonymous kB", "file kB"], *rows]


def _once(bundle: Path, name: str) -> tuple[float, float, float]:
    allocator.map_large_blocks()
    arrays = seen_by_experts(bundle)
    paths = [bundle / entry.path for entry in read_manifest(bundle).experts]
    make = interpreter.interpreter_class()
    times: list[float] = []
    _load(make, WAYS[name], paths[0], arrays)  # the interpreter's own start
    allocator.return_freed_memory()
    before = process_memory.read()
    kept = _load(make, WAYS[name], paths[-1], arrays)
    after = process_memory.read()
    del kept
    for turn in range(_LOADS):
        start = thread_time_ns()
        kept = _load(make, WAYS[name], paths[turn % len(paths)], arrays)
        times.append((thread_time_ns() - start) / 1000)
        del kept
    grown = (after.anonymous - before.anonymous, after.file - before.file)
    return statistics.median(times), *grown


def _load(
    make: Any, way: Callable[[Path], dict[str, Any]], path: Path, arrays: dict[str, np.ndarray]
) -> Any:
    made = make(**way(path), num_threads=1)
    made.allocate_tensors()
    for _ in range(2):
        for details in made.get_input_details():
            name = details["name"].removeprefix("serving_default_").split(":")[0]
            made.set_tensor(details["index"], arrays[name])
        made.invoke()
    return made


def seen_by_experts(bundle: Path) -> dict[str, np.ndarray]:
    """Return the arrays of one input, with those that the router adds."""
    with ExpertRuntime(bundle) as runtime:
        arrays = runtime.features.encode(golden.read(bundle).inputs[0])
        runtime.task.pick(arrays, runtime.access)  # which may add inputs of the experts
        return arrays
