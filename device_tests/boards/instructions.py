"""Instructions of an answer on ARM, counted by an emulator: the same ones each time.

They say what a change of the code costs, and nothing of caches, memory or clocks: they are shown as
instructions, never as milliseconds. `device_tests/instructions.json` has the table that a
test holds the code against.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

from edge_experts.errors import MachineError, ThresholdError
from edge_experts.format.atomic import write_whole

from .building import built, cached, host_architecture, packages, run
from .bundles import synthetic
from .kinds import board

TABLE = Path(__file__).parents[1] / "instructions.json"
GROWTH = 0.03  # by which a figure may grow before somebody has to say so in the table

_BOARD = "arm64-bookworm"
_PROJECT = Path(__file__).parents[2]
_HERE = Path(__file__).parent
# Without and with the instructions for dot products of integers: of a Raspberry Pi 4 and a 5.
PROCESSORS = ("cortex-a72", "cortex-a76")
# The newest of Debian's emulators that is linked dynamically: others take no plugins.
_EMULATOR = ("bookworm", ("qemu-user",))
# Experts, and the units of their hidden layers. Weights are random: they do not change the count.
_BUNDLES = {
    "small experts": (8, "64"),
    "1 MB experts": (8, "980,980"),
    "dense, as many weights": (1, "2845,2845"),
}

Table = dict[str, dict[str, int]]  # processor to what was counted to instructions


def count() -> Table:
    """The medians of everything that `counting.py` does, on each processor."""
    named = [f"{name}={path}" for name, path in synthetic("counted", _BUNDLES).items()]
    return {processor: _count(processor, named) for processor in PROCESSORS}


def refuse_growth(found: Table, table: Table) -> None:
    """Raises ThresholdError where something takes over 3 % more than the table says."""
    grown = []
    for processor, counts in found.items():
        for name, count in counts.items():
            before = table.get(processor, {}).get(name, 0)
            if count > before * (1 + GROWTH):
                grown.append(f"{processor}, {name}: {count:,} instead of {before:,}")
    if grown:
        raise ThresholdError(
            "more instructions than device_tests/instructions.json says:\n  "
            + "\n  ".join(grown)
            + "\nIf that is as it must be: python -m device_tests.boards instructions --write"
        )


def read_table() -> Table:
    """What is in the repository."""
    table: Table = json.loads(TABLE.read_text())["instructions"]
    return table


def write_table(found: Table) -> None:
    """Make these figures the ones to hold the code against."""
    content = {"schema_version": "1.0", "instructions": found}
    write_whole(TABLE, json.dumps(content, indent=2) + "\n")


def _count(processor: str, bundles: list[str]) -> dict[str, int]:
    root = built(board(_BOARD)) / "root"
    counter = cached("counter", (_EMULATOR, _HERE / "count.c"), _counter)
    libraries = counter / "root/usr/lib/x86_64-linux-gnu"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "counts")
        python = root / f"usr/bin/python{board(_BOARD).python}"
        emulator = [f"{libraries}/ld-linux-x86-64.so.2", "--library-path", str(libraries)]
        emulator += [f"{counter}/root/usr/bin/qemu-aarch64", "-L", str(root), "-cpu", processor]
        emulator += ["-plugin", f"{counter}/count.so", "-E", "PYTHONHASHSEED=0"]
        emulator += ["-E", f"PYTHONPATH={root}/opt/site:{_PROJECT}"]
        done = subprocess.run(
            [*emulator, str(python), "-B", f"{_HERE}/counting.py", *bundles],
            env={**os.environ, "COUNT_OUT": str(out)},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise MachineError(f"counting on {processor} failed: {done.stderr[-500:]}")
        counts = [int(line) for line in out.read_text(encoding="utf-8").split()]
    return _medians(json.loads(done.stdout.splitlines()[-1]), counts)


def _medians(names: list[str], counts: list[int]) -> dict[str, int]:
    """By name, without what the mark itself takes."""
    taken: dict[str, list[int]] = defaultdict(list)
    for name, before, after in zip(names[1:], counts, counts[1:], strict=False):
        taken[name].append(after - before)
    mark = statistics.median(taken.pop("nothing"))
    taken.pop("", None)
    return {name: round(statistics.median(values) - mark) for name, values in taken.items()}


def _counter(folder: Path) -> None:
    """An emulator that takes plugins, with the libraries that it was linked to, and ours."""
    suite, names = _EMULATOR
    packages(folder / "root", suite, host_architecture(), names)
    run("gcc", "-O2", "-shared", "-fPIC", "-o", f"{folder}/count.so", f"{_HERE}/count.c")
