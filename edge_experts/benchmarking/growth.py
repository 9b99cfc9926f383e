"""How much memory a bundle takes.

It is measured in a process of its own, because memory that something else in the process used and
freed would hide what the bundle costs. The base is read once everything is imported and before a
bundle is opened; growth is what comes on top at the peak.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..bundle import read_manifest
from ..runtime import ExpertRuntime, golden, interpreter
from . import child, memory

_ROUNDS = 5


@dataclass(frozen=True)
class Growth:
    """Bytes; `anonymous_bytes` and `file_bytes` are the growth of those kinds of pages."""

    base_bytes: int
    growth_bytes: int
    anonymous_bytes: int
    file_bytes: int
    budget_bytes: int | None
    experts_visited: int
    answers: int


def measure_growth(bundle: Path, budget: int | None) -> Growth:
    """Measure in a child process, which answers from every expert in turn."""
    return child.call(_grow, bundle, budget)


def room_for_one(bundle: Path) -> int:
    """The smallest budget that the bundle runs in: the router and the largest expert."""
    manifest = read_manifest(bundle)
    router = 0 if manifest.router is None else manifest.router.resident_bytes
    return router + max(entry.resident_bytes for entry in manifest.experts)


def _grow(bundle: Path, budget: int | None) -> Growth:
    examples = golden.read(bundle)
    turns = golden.by_turns(examples.experts)
    interpreter.description()  # imports the interpreter, which belongs to the base
    memory.reset_peak()
    base = memory.read()
    with ExpertRuntime(bundle, memory_budget=budget, strict=True) as runtime:
        anonymous, file, answers = 0, 0, 0
        visited: set[int] = set()
        for _ in range(_ROUNDS):
            for row in turns:
                # Twice: the second inference is where an int8 expert's memory is complete.
                runtime.predict(examples.inputs[row])
                visited.update(runtime.predict(examples.inputs[row]).experts)
                answers += 2
                now = memory.read()
                anonymous = max(anonymous, now.anonymous - base.anonymous)
                file = max(file, now.file - base.file)
        peak = memory.read().peak
    return Growth(
        base_bytes=base.resident,
        growth_bytes=max(0, peak - base.resident),
        anonymous_bytes=anonymous,
        file_bytes=file,
        budget_bytes=budget,
        experts_visited=len(visited),
        answers=answers,
    )
