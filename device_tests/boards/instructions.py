"""Instruction counts of an answer on ARM, by emulators: the same ones each time.

They show the cost of a change of the code, without caches, memory or clocks: they are reported as
instructions, never as milliseconds. A test compares the code with the table in
`device_tests/instructions.json`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from edge_experts.errors import MachineError, ThresholdError
from edge_experts.format.atomic import write_whole
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime.tasks.language_model.network_settings import read_settings

from . import schemes
from .building import built, cached, host_architecture, packages, run
from .bundles import synthetic
from .kinds import board

TABLE = Path(__file__).parents[1] / "instructions.json"
GROWTH = 0.03  # limit for the growth of a figure without an update of the table

_BOARD = "arm64-bookworm"
_RUNTIME, _LITERT = "tflite_runtime", "ai_edge_litert"
_PROJECT = Path(__file__).parents[2]
_HERE = Path(__file__).parent
# Without and with the instructions for dot products of integers: of a Raspberry Pi 4 and a 5.
PROCESSORS = ("cortex-a72", "cortex-a76")
# The newest of Debian's emulators that is linked dynamically: static ones support no plugins.
_EMULATOR = ("bookworm", ("qemu-user",))
# Experts, and the units of their hidden layers. Weights are random: they do not affect the count.
_BUNDLES = {
    "small experts": (8, "64"),
    "1 MB experts": (8, "980,980"),
    "dense, as many weights": (1, "2845,2845"),
}

_LANGUAGE_MODEL = {"language model": _PROJECT / "examples/help.bundle"}

Table = dict[str, dict[str, int]]  # processor -> counted part -> instructions


def count(bundles: Mapping[str, Path] | None = None) -> Table:
    """Count the medians of all parts of `counting.py`, on each processor.

    An expert of a language model for LiteRT is counted by `schemes.counts`.

    Args:
        bundles: by name; by default those of the table.

    Raises:
        ManifestError: one of them is not a bundle.
    """
    counted = bundles or {**synthetic("counted", _BUNDLES), **_LANGUAGE_MODEL}
    known = {name: _interpreters(path) for name, path in counted.items()}

    def on(package: str) -> dict[str, Path]:
        return {name: path for name, path in counted.items() if package in known[name]}

    plain = on(_RUNTIME)
    experts = {
        name: path / read_manifest(path).experts[0].path for name, path in on(_LITERT).items()
    }
    return {
        processor: (_count(processor, plain) if plain else {})
        | (schemes.counts(processor, experts) if experts else {})
        for processor in PROCESSORS
    }


def _interpreters(bundle: Path) -> tuple[str, ...]:
    """Return the interpreters that a bundle is counted on."""
    manifest = read_manifest(bundle)
    return tuple(read_settings(manifest).interpreters) if manifest.layers else (_RUNTIME,)


def refuse_growth(found: Table, table: Table) -> None:
    """Raise ThresholdError if a part takes over 3 % more than in the table."""
    grown = []
    for processor, counts in found.items():
        for name, count in counts.items():
            before = table.get(processor, {}).get(name, 0)
            if count > before * (1 + GROWTH):
                grown.append(f"{processor}, {name}: {count:,} instead of {before:,}")
    if grown:
        raise ThresholdError(
            "more instructions than in device_tests/instructions.json:\n  "
            + "\n  ".join(grown)
            + "\nIf the growth is intended: python -m device_tests.boards instructions --write"
        )


def read_table() -> Table:
    """Read the table in the repository."""
    table: Table = json.loads(TABLE.read_text())["instructions"]
    return table


def write_table(found: Table) -> None:
    """Make these figures the new table."""
    content = {"schema_version": "1.0", "instructions": found}
    write_whole(TABLE, json.dumps(content, indent=2) + "\n")


def _count(processor: str, bundles: Mapping[str, Path]) -> dict[str, int]:
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
        named = [f"{name}={path}" for name, path in bundles.items()]
        done = subprocess.run(
            [*emulator, str(python), "-B", f"{_HERE}/counting.py", *named],
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


def _medians(marks: list[tuple[str, int]], counts: list[int]) -> dict[str, int]:
    """Compute medians by name, without the instructions of the mark itself."""
    taken: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for (name, parts), before, after in zip(marks[1:], counts, counts[1:], strict=False):
        taken[name].append((after - before, parts))
    mark = statistics.median(count for count, _ in taken.pop("nothing"))
    taken.pop("", None)
    return {
        name: round(statistics.median((count - mark) / parts for count, parts in values))
        for name, values in taken.items()
    }


def _counter(folder: Path) -> None:
    """Build an emulator that supports plugins, with its libraries and the plugin."""
    suite, names = _EMULATOR
    packages(folder / "root", suite, host_architecture(), names)
    run("gcc", "-O2", "-shared", "-fPIC", "-o", f"{folder}/count.so", f"{_HERE}/count.c")
