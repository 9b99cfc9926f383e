"""Fault injection into bundles: each damaged bundle is refused, or answers correctly.

A copy of the bundle is damaged in one way after the other (bits, sectors, files), opened each time,
and answers every golden example. The only allowed outcomes are an error of this package, the intact
bundle's answers, or, if an expert was damaged, a fallback's answers, marked as degraded. A child
process does this, so that crashes and hangs are counted too.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge_experts.errors import MachineError
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.progress import Progress
from edge_experts.runtime import interpreter

from . import mutation_process
from .accidents import MUTATIONS

_MODULE = "benchmarks.runtime.mutation_process"
GOOD = ("refused", "right", "degraded")
BAD = ("wrong", "foreign", "crash", "hang")
_START = 120.0  # seconds until the first mutation: imports, and a run of each expert alone


def run(
    bundle: Path,
    count: int,
    *,
    seed: int = 0,
    program: Sequence[str] = ("-m", _MODULE),
    patience: float = 60,
) -> tuple[Counter[str], list[str]]:
    """Count outcomes by "kind outcome", and list the bad ones with the options to repeat them.

    Args:
        program: Python's arguments that run the child process.
        patience: seconds for one mutation, which takes a hundredth of one.

    Raises:
        ManifestError: the bundle cannot be read.
        MachineError: the child process ends before its first mutation.
    """
    read_manifest(bundle)
    outcomes: Counter[str] = Counter()
    bad: list[str] = []
    number = 0
    with Progress(f"{count:,} mutations", 100) as progress:
        while number < count:
            begun = number
            for line in _child([*program, str(bundle)], seed, number, count, patience):
                kind, outcome, detail = line
                outcomes[f"{kind} {outcome}"] += 1
                if outcome in BAD:
                    bad.append(f"--seed {seed} --only {number}: {kind}: {outcome}: {detail}")
                number += 1
                if number * 100 // count > (number - 1) * 100 // count:
                    progress.step()
            if number == begun:
                raise MachineError("the process that tries mutations does not start")
    return outcomes, bad


def _child(
    program: Sequence[str], seed: int, start: int, stop: int, patience: float
) -> Iterator[tuple[str, str, str]]:
    """Yield the outcomes from `start` up to `stop` or the first that ends the process."""
    command = [sys.executable, *program, str(start), str(stop), str(seed)]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8", errors="replace"
        )
        assert child.stdout is not None, "it is a pipe"
        begun: str | None = None
        allowed = _START
        while True:
            watch = threading.Timer(allowed, child.kill)
            watch.start()
            line = child.stdout.readline()
            hung = not watch.is_alive()
            watch.cancel()
            if not line:
                break
            allowed = patience
            if begun is None:  # it prints the mutation first, then the outcome
                begun = line.strip()
            else:
                outcome, _, detail = line.rstrip("\n").partition(" ")
                yield begun, outcome, detail
                begun = None
        code = child.wait()
        if begun is not None:
            errors.seek(0)
            last = (errors.read().strip().splitlines() or [""])[-1]
            yield begun, "hang" if hung else "crash", f"exit code {code}: {last}"


def repeat(bundle: Path, number: int, seed: int) -> Iterator[str]:
    """Try one mutation again in this process; yield its kind, then its outcome."""
    return mutation_process.lines(bundle, number, number + 1, seed)


def report(outcomes: Counter[str], bad: Sequence[str], *, count: int, seed: int) -> dict[str, Any]:
    """Build the content for JSON."""
    return {
        "interpreter": interpreter.description(),
        "count": count,
        "seed": seed,
        "outcomes": {
            outcome: sum(n for key, n in outcomes.items() if key.endswith(f" {outcome}"))
            for outcome in (*GOOD, *BAD)
        },
        "by_mutation": dict(sorted(outcomes.items())),
        "bad": list(bad[:100]),
    }


def as_table(outcomes: Counter[str]) -> list[list[str]]:
    """Build one row for each kind of mutation, and one for all of them."""
    counts = [
        (kind.__name__, [outcomes[f"{kind.__name__} {one}"] for one in (*GOOD, *BAD)])
        for kind in MUTATIONS
    ]
    totals = [sum(column) for column in zip(*(row for _, row in counts), strict=True)]
    return [
        ["", *GOOD, *BAD],
        *([name, *map(str, row)] for name, row in (*counts, ("all", totals))),
    ]


def commands(bundle: Path, bad: Sequence[str]) -> list[str]:
    """List commands that repeat the first bad outcomes, each with its outcome as a comment."""
    found = []
    for line in bad[:20]:
        options, _, outcome = line.partition(": ")
        command = f"python -m benchmarks mutations {shlex.quote(str(bundle))} {options}"
        found.append(f"{command}  # {outcome}")
    return found
