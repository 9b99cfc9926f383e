"""From process start to first answer: `python -m benchmarks.runtime.startup BUNDLE`.

`edge-experts run` beside the shortest script with the bare interpreter, in turn, as whole
processes. The script imports typer as well, because a command line is what is measured.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from edge_experts.progress import Progress

_SCRIPT = """
import sys
from pathlib import Path
import typer
from edge_experts.benchmarking.reference import reference_loop
print(reference_loop(Path(sys.argv[1]))(sys.argv[2]))
"""
_TEXT = "a film to remember"


def measure(bundle: Path, pairs: int = 20) -> tuple[float, float, float]:
    """Median seconds of `run`, of the script, and the median of the ratios pair by pair."""
    commands = (
        [sys.executable, "-m", "edge_experts", "run", str(bundle), _TEXT],
        [sys.executable, "-c", _SCRIPT, str(bundle), _TEXT],
    )
    times: list[list[float]] = [[], []]
    with Progress("Starting processes", pairs) as progress:
        for turn in range(pairs + 1):
            for command, kept in zip(commands, times, strict=True):
                start = perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                if turn:  # the first pair fills the page cache
                    kept.append(perf_counter() - start)
            if turn:
                progress.step()
    ratios = [ours / bare for ours, bare in zip(*times, strict=True)]
    return statistics.median(times[0]), statistics.median(times[1]), statistics.median(ratios)


if __name__ == "__main__":
    run, script, ratio = measure(Path(sys.argv[1]))
    print(
        f"edge-experts run: {run * 1000:.0f} ms, bare interpreter: {script * 1000:.0f} ms; "
        f"median ratio {ratio:.2f}"
    )
