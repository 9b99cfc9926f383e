"""Time of an expert in a slot beside one in an interpreter, measured when experts are packed.

CompiledModel keeps Python's lock while it computes, and Interpreter does not: requests at the same
time compute one expert after the other in slots. How much that costs depends on the processor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import numpy as np

from ...format.manifest import Manifest
from ..models import Models
from ..rows_model import RowsModel, proof_rows
from . import sidecars
from .compiled import CompiledRows
from .memory_file import MemoryFile
from .scheme import setting
from .sidecars import Sidecar
from .slot_pool import Template

_ROUNDS = 100  # short ones, some of which no other process interrupts
_BYTES, _LEAST, _MOST = 24_000_000, 2, 8  # of all weights that are used in turn; experts
_COPIES = 4  # of an expert's weights in memory: its file, both kinds of packed ones, and to spare


def measure(
    root: Path, manifest: Manifest, models: Models, files: Mapping[str, Sidecar]
) -> dict[str, float]:
    """Measure the time of a call in slots, divided by that in interpreters, by `scheme.setting`.

    It takes about a second.

    Raises:
        DigestError, ModelError, MachineError, OSError: an expert cannot be opened.
    """
    entries = manifest.experts
    size = max(entry.bytes for entry in entries)
    count = min(len(entries), max(_LEAST, min(_MOST, _BYTES // (_COPIES * size))))
    found: dict[str, float] = {}
    for threads in (1, 2):
        plain, slots = [], []
        for place in range(count):
            model = RowsModel(models.expert_content(place), entries[place].path, threads)
            sidecar = files[entries[place].sha256]
            memory = MemoryFile(sidecar.bytes)
            sidecars.read_into(root, entries[place].sha256, sidecar, memory.view)
            plain.append(model)
            slots.append(Template.of(model, model.content).opened(memory, model.name, threads))
        row = proof_rows(1, plain[0].inputs[0][1][1])
        for requests in (1, 2):
            found[setting(threads, requests)] = _ratio(slots, plain, row, requests)
    return found


def _ratio(
    slots: Sequence[CompiledRows], plain: Sequence[RowsModel], row: np.ndarray, requests: int
) -> float:
    """Compare the shortest rounds of both kinds, which take turns: other work only adds time."""
    in_slots, in_interpreters = [], []
    with ThreadPoolExecutor(requests) as threads:
        for _ in range(_ROUNDS):
            in_slots.append(_seconds(slots, row, requests, threads))
            in_interpreters.append(_seconds(plain, row, requests, threads))
    return round(min(in_slots) / min(in_interpreters), 3)


def _seconds(
    models: Sequence[CompiledRows] | Sequence[RowsModel],
    row: np.ndarray,
    requests: int,
    threads: ThreadPoolExecutor,
) -> float:
    """Run all models on one row, shared out among as many threads as there are requests."""

    def run(part: Sequence[CompiledRows] | Sequence[RowsModel]) -> None:
        for model in part:
            model.run(row)

    parts = [models[number::requests] for number in range(requests)]
    start = perf_counter()
    list(threads.map(run, parts))  # an error in a thread is raised here
    return perf_counter() - start
