"""Answers by every expert of a bundle: `python3 -m device_tests.every_expert BUNDLE [BUDGET_MB]`.

Each expert is read from cold storage and answers one random input that the router gives to it. The
program prints one JSON line: {"labels": label by expert, "growth": bytes of resident memory at the
peak, above the base}. It needs numpy and an interpreter, so that it also runs on a board. Without a
memory budget, or with 0, all experts stay in memory.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.benchmarking.measure import page_cache
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import ExpertRuntime, interpreter
from edge_experts.runtime.memory import process_memory

_INPUTS = 2000
_MB = 1_000_000


def answers(bundle: Path, budget: int | None) -> dict[str, Any]:
    """Collect the label of each expert's answer, with the storage cold, and the memory growth."""
    manifest = read_manifest(bundle)
    interpreter.description()  # imports the interpreter, which belongs to the base
    before = process_memory.read().resident
    labels: dict[int, str] = {}
    chance = np.random.default_rng(0)
    process_memory.reset_peak()
    with ExpertRuntime(bundle, memory_budget=budget, strict=True) as runtime:
        shape = runtime.features.settings["shape"]
        for _ in range(_INPUTS):
            example = chance.normal(size=shape).astype(np.float32)
            expert = _routed(runtime, example)
            if expert not in labels:
                page_cache.evict(bundle / manifest.experts[expert].path)
                for _ in range(3):  # an int8 expert's memory grows at the second inference
                    labels[expert] = runtime.predict(example).label
        return {"labels": labels, "growth": process_memory.read().peak - before}


def _routed(runtime: ExpertRuntime, example: np.ndarray) -> int:
    router = runtime.models.router
    return 0 if router is None else int(router(runtime.features.encode(example)).argmax())


def main(arguments: Sequence[str]) -> None:
    """Print the answers of the bundle that the command line names."""
    budget = round(float(arguments[1]) * _MB) if len(arguments) > 1 else 0
    print(json.dumps(answers(Path(arguments[0]), budget or None)))


if __name__ == "__main__":
    main(sys.argv[1:])
