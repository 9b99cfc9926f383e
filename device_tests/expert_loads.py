"""Nanoseconds of an expert's load and call by each scheme: `expert_loads.py FILE.tflite`.

An emulator can make them instructions (device_tests/boards/machine.py). The file is an expert of a
language model. A JSON line for plain interpreters is printed first: on some processors LiteRT's
CompiledModel, which the other schemes use, ends the process. It needs numpy and LiteRT.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from edge_experts.format import disk
from edge_experts.format.manifest import crc32, sha256
from edge_experts.runtime.packed import sidecars
from edge_experts.runtime.packed.compiled import packed_weights
from edge_experts.runtime.packed.memory_file import MemoryFile
from edge_experts.runtime.packed.sidecars import Sidecar
from edge_experts.runtime.packed.slot_pool import Template
from edge_experts.runtime.rows_model import RowsModel, open_once_copied, proof_rows

_TIMES = 5


def plain(path: Path) -> dict[str, int]:
    """Measure interpreters on the original file, which pack its weights at each load."""

    def read() -> bytes:
        content = path.read_bytes()
        crc32(content)  # as the runtime checks it
        return content

    def load() -> RowsModel:
        model = open_once_copied(read, lambda content: RowsModel(content, "expert"))
        model.run(rows)
        return model

    rows = proof_rows(1, RowsModel(read(), "expert").inputs[0][1][1])
    model = load()
    return {"load": _median(load), "call": _median(lambda: model.run(rows))}


def packed(content: bytes, root: Path) -> dict[str, dict[str, int]]:
    """Measure the same weights packed, as `SlotPool.load` uses them."""
    template = Template.of(RowsModel(content, "expert"), content)
    sizes: dict[str, Any] = {"units": template.units, "outputs": template.outputs}
    weights = packed_weights(content, "expert", **sizes)
    digest, rows = sha256(content), proof_rows(1, template.units)
    one = Sidecar(len(weights), sha256(weights), crc32(weights), digest, "", 0)
    disk.mkdir(root / sidecars.FOLDER)
    disk.write(sidecars.path_of(root, digest), weights)

    def mapped() -> Any:
        memory = MemoryFile(one.bytes)
        sidecars.read_into(root, digest, one, memory.view)
        model = template.opened(memory, "expert")
        memory.unmap_pages()
        model.run(rows)
        return memory, model

    memory, model = mapped()

    def slot() -> None:
        sidecars.read_into(root, digest, one, memory.view)
        memory.unmap_pages()
        model.run(rows)

    call = _median(lambda: model.run(rows))
    return {
        "mapped": {"load": _median(mapped), "call": call},
        "slots": {"load": _median(slot), "call": call},
    }


def _median(work: Callable[[], object]) -> int:
    work()
    taken = []
    for _ in range(_TIMES):
        start = perf_counter_ns()
        work()
        taken.append(perf_counter_ns() - start)
    return round(statistics.median(taken))


def main(arguments: Sequence[str]) -> None:
    """Print the figures of the expert that the command line names."""
    path = Path(arguments[0])
    gc.disable()
    print(json.dumps({"plain": plain(path)}), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(packed(path.read_bytes(), Path(folder))))


if __name__ == "__main__":
    main(sys.argv[1:])
