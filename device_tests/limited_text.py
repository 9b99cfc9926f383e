"""Tokens of a language model within a memory budget: `limited_text.py BUNDLE BUDGET_MB COUNT`.

The program prints one JSON line: memory before and at its peak, bytes read from the storage and
experts loaded for each of COUNT tokens, and the logits of the last one. It needs numpy and an
interpreter, so that it also runs on a board. With a budget of 0 all experts stay in memory.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from edge_experts.benchmarking.measure.page_cache import bytes_from_storage
from edge_experts.runtime import ExpertRuntime, interpreter
from edge_experts.runtime.memory import process_memory

CONTEXT = 64  # tokens of keys and values
_INTERVAL = 0.01  # seconds between samples of the memory
_MB = 1_000_000


def tokens_of(pieces: int, count: int) -> list[int]:
    """Return the last tokens of a vocabulary, which are traces in models of `synthetic-moe`."""
    return list(range(pieces - count, pieces))


class PeakMemory(threading.Thread):
    """Samples the private memory of the process: anonymous, shared and swapped pages."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes, self._ended = 0, threading.Event()

    def run(self) -> None:
        while not self._ended.wait(_INTERVAL):
            self.bytes = max(self.bytes, process_memory.read().private)

    def __enter__(self) -> PeakMemory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()
        self.bytes = max(self.bytes, process_memory.read().private)


def measure(bundle: Path, budget: int | None, count: int) -> dict[str, Any]:
    """Compute tokens one by one within a budget."""
    interpreter.description()  # imports the interpreter, which belongs to the base
    base, steps = process_memory.read().private, []
    with (
        PeakMemory() as peak,
        ExpertRuntime(bundle, memory_budget=budget, context=CONTEXT, strict=True) as runtime,
    ):
        task: Any = runtime.task
        network, (cache, _) = task._network(runtime.access), task._caches.take(())
        opened = bytes_from_storage()
        for token in tokens_of(task.settings.pieces, count):
            read, loads, start = bytes_from_storage(), network.use.loads, perf_counter()
            logits = network.logits(network.rows([token], cache))
            steps.append(
                {
                    "bytes_read": bytes_from_storage() - read,
                    "loads": network.use.loads - loads,
                    "seconds": round(perf_counter() - start, 3),
                }
            )
    return {
        "budget": budget,
        "base_bytes": base,
        "peak_bytes": peak.bytes,
        "bytes_read_at_opening": opened,
        "tokens": steps,
        "logits": [round(float(one), 5) for one in logits[0]],
    }


def main(arguments: Sequence[str]) -> None:
    """Print the figures of the bundle that the command line names."""
    budget = round(float(arguments[1]) * _MB)
    print(json.dumps(measure(Path(arguments[0]), budget or None, int(arguments[2]))))


if __name__ == "__main__":
    main(sys.argv[1:])
