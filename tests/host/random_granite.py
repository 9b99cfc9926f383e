"""Conversion of a checkpoint of 1.33 billion random parameters: time and memory.

    python -m tests.host.random_granite FOLDER [--quantization int8]

writes a checkpoint with the shape of granite-3.0-1b-a400m (2.7 GB) and its bundle to FOLDER, and
prints seconds, and the largest anonymous memory of the conversion with its child processes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.residency.random_checkpoint import write


def _anonymous(process: int) -> int:
    """Return the anonymous memory of a process and its children, in kilobytes."""
    total = 0
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                total += int(line.split()[1])
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:  # it ended
        return total
    return total + sum(_anonymous(int(child)) for child in children)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quantization", default="int8")
    asked = parser.parse_args()
    source, start, peak = write(asked.folder / "granite"), time.monotonic(), 0
    words = ["convert", source, "--out", asked.folder / "granite.bundle", "--force"]
    command = [sys.executable, "-m", "edge_experts", *map(str, words)]
    with subprocess.Popen([*command, "--quantization", asked.quantization]) as process:
        while process.poll() is None:
            peak = max(peak, _anonymous(process.pid))
            time.sleep(0.2)
    print(
        f"exit code {process.returncode}, {time.monotonic() - start:.0f} seconds, "
        f"at most {peak / 1000:,.0f} MB of anonymous memory"
    )


if __name__ == "__main__":
    main()
