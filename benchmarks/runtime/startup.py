"""Time from process start to first answer.

`edge-experts run` and the shortest script with the bare interpreter take turns, as whole processes.
The script imports typer as well, because a command line is measured.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter

from edge_experts.errors import UsageError
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.progress import Progress

_SCRIPT = """
import sys
from pathlib import Path
import typer
from edge_experts.benchmarking.reference_loop import reference_texts
print(reference_texts(Path(sys.argv[1]))(sys.argv[2]))
"""
_TEXT = "a film to remember"


def measure(bundle: Path, pairs: int = 20) -> dict[str, float]:
    """Measure the median milliseconds of `run` and of the script, and the median paired ratio.

    Raises:
        ManifestError: the bundle cannot be read.
        UsageError: a program failed, as for a bundle that does not take texts.
    """
    read_manifest(bundle)
    commands = (
        [sys.executable, "-m", "edge_experts", "run", str(bundle), _TEXT],
        [sys.executable, "-c", _SCRIPT, str(bundle), _TEXT],
    )
    times: list[list[float]] = [[], []]
    with Progress("Starting processes", pairs) as progress:
        for turn in range(pairs + 1):
            for command, kept in zip(commands, times, strict=True):
                start = perf_counter()
                _run(command)
                if turn:  # the first pair fills the page cache
                    kept.append(perf_counter() - start)
            if turn:
                progress.step()
    ratios = [ours / bare for ours, bare in zip(*times, strict=True)]
    return {
        "run_ms": 1000 * statistics.median(times[0]),
        "interpreter_ms": 1000 * statistics.median(times[1]),
        "ratio": statistics.median(ratios),
    }


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise UsageError(f"{' '.join(command[1:4])} ... failed: {lines[-1]}")


def as_table(figures: Mapping[str, float]) -> list[list[str]]:
    """Build one row for each program."""
    return [
        ["program", "ms", "ratio"],
        ["edge-experts run", f"{figures['run_ms']:.0f}", f"{figures['ratio']:.2f}"],
        ["bare interpreter", f"{figures['interpreter_ms']:.0f}", ""],
    ]
