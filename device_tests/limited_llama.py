"""Tokens of the same model by llama.cpp: `limited_llama.py FILE.gguf PIECES COUNT`.

The same tokens as `limited_text`, one by one, from a file that llama.cpp maps, as it does by
default. The program prints one JSON line. It needs the package xllamacpp, which has wheels for ARM.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from device_tests.limited_text import CONTEXT, PeakMemory, tokens_of
from edge_experts.benchmarking.measure.page_cache import bytes_from_storage
from edge_experts.runtime.memory import process_memory


def measure(path: Path, pieces: int, count: int) -> dict[str, Any]:
    """Compute tokens one by one: each request has one more, after those that are cached."""
    llama: Any = importlib.import_module("xllamacpp")
    base, steps = process_memory.read().private, []
    with PeakMemory() as peak:
        settings = llama.CommonParams()
        settings.model.path = str(path)
        settings.n_ctx, settings.n_parallel, settings.warmup = CONTEXT, 1, False
        # It would pack Q4_0 anew into anonymous memory, all of it, where it has a faster layout.
        settings.no_extra_bufts = True
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
        server = llama.Server(settings)
        opened, tokens = bytes_from_storage(), tokens_of(pieces, count)
        for number in range(count):
            read, start = bytes_from_storage(), perf_counter()
            request = {"prompt": tokens[: number + 1], "n_predict": 1, "temperature": 0}
            found = server.handle_completions({**request, "cache_prompt": True})
            if "error" in found or found["timings"]["prompt_n"] != 1:
                raise SystemExit(f"llama.cpp did not compute one token: {found!s:.300}")
            seconds = round(perf_counter() - start, 3)
            steps.append({"bytes_read": bytes_from_storage() - read, "seconds": seconds})
    return {
        "base_bytes": base,
        "peak_bytes": peak.bytes,
        "bytes_read_at_opening": opened,
        "tokens": steps,
    }


def main(arguments: Sequence[str]) -> None:
    """Print the figures of the file that the command line names."""
    print(json.dumps(measure(Path(arguments[0]), int(arguments[1]), int(arguments[2]))))


if __name__ == "__main__":
    main(sys.argv[1:])
