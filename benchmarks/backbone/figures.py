"""Figures of a measurement, with their units; and bundles measured without TensorFlow."""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import thread_time_ns
from typing import Any

import numpy as np

from edge_experts import subprocesses
from edge_experts.datasets import Split
from edge_experts.runtime import ExpertRuntime, interpreter
from edge_experts.runtime.memory import process_memory
from edge_experts.runtime.memory.memory_budget import MemoryBudget

_ANSWERS, _WARM = 400, 40


@dataclass(frozen=True)
class Figure:
    name: str
    value: float
    unit: str = ""

    @property
    def shown(self) -> str:
        digits = 0 if self.unit == "bytes" else 3 if self.unit in ("", "ms") else 1
        return f"{self.value:,.{digits}f} {self.unit}".rstrip()


@dataclass(frozen=True)
class Use:
    """Answers of a bundle to photos in random order; bytes and microseconds.

    Attributes:
        growth: resident memory at its peak, above that of Python with the interpreter.
        visited: networks that answered.
        loads: share of answers that had to load their expert.
        p50: processor time of the median answer, with routing and loading; files are in the page
            cache. Unlike time on the clock, other programs hardly change it.
    """

    growth: int
    visited: int
    loads: float
    p50: float


def use(
    bundle: Path,
    photos: Path,
    bundles: int = 1,
    budget: int | None = None,
    *,
    every: bool = False,
) -> Use:
    """Measure in a separate process.

    Args:
        photos: an .npy file, (photos, height, width, channels) uint8.
        bundles: how often the bundle is opened, in the place of different ones; each photo is for
            one of them at random.
        budget: bytes for all of them; None: no limit.
        every: each photo is for all of them; an answer is all of theirs.
    """
    return subprocesses.call(_use, bundle, photos, bundles, budget, every)


def _use(bundle: Path, file: Path, bundles: int, limit: int | None, every: bool) -> Use:
    interpreter.description()  # imports the interpreter, which belongs to the base
    known, random = np.load(file), np.random.default_rng(0)
    photos = known[random.integers(0, len(known), _ANSWERS)]
    places = random.integers(0, bundles, _ANSWERS)
    process_memory.reset_peak()
    base = process_memory.read().resident
    times, visited, loads = [], set(), 0
    budget = None if limit is None else MemoryBudget(limit)
    with ExitStack() as stack:
        opened = [
            stack.enter_context(ExpertRuntime(bundle, memory_budget=budget, strict=True))
            for _ in range(bundles)
        ]
        for photo, place in zip(photos, places.tolist(), strict=True):
            asked = range(bundles) if every else [place]
            before = [opened[each].resident for each in asked]
            start = thread_time_ns()
            answers: list[Any] = [opened[each].predict(photo) for each in asked]
            times.append((thread_time_ns() - start) / 1000)
            for each, resident, answer in zip(asked, before, answers, strict=True):
                visited |= {(each, expert) for expert in answer.experts}
                loads += any(expert not in resident for expert in answer.experts)
        growth = process_memory.read().peak - base
    return Use(growth, len(visited), loads / len(photos), statistics.median(times[_WARM:]))


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def some(split: Split, count: int) -> Split:
    """Examples of a split at equal distances, so that sorted labels are all among them."""
    rows = np.linspace(0, len(split) - 1, count).astype(int)
    return Split(np.asarray(split.inputs)[rows], split.targets[rows])
