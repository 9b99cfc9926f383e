"""Language model larger than a board's memory, in a machine of that size, beside llama.cpp."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_experts.errors import MachineError
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime.tasks.language_model.network_settings import read_settings

from .extra_wheels import MOUNTED, extra_wheels
from .kinds import board
from .machine import Step, boot

_BOARD = "arm64-trixie"
_SECONDS = 3600
_OUT_OF_MEMORY = 137  # exit code of a process that the kernel kills


def measure(
    bundle: Path, gguf: Path | None, *, megabytes: int, budget: int, tokens: int
) -> dict[str, Any]:
    """Compute tokens in a machine with so much memory, by this project and by llama.cpp.

    Args:
        bundle: of `python -m benchmarks synthetic-moe`.
        gguf: the same weights; None: without llama.cpp.
        budget: memory budget in bytes.

    Returns:
        what `device_tests.limited_text` and `limited_llama` print, by engine; None: the kernel
        killed it for lack of memory.

    Raises:
        MachineError: the machine or an engine failed for another reason.
    """
    pieces = read_settings(read_manifest(bundle)).pieces
    files = {"bundle": bundle, MOUNTED: extra_wheels(board(_BOARD))}
    ours = f"python3 -m device_tests.limited_text /mnt/bundle {budget / 1e6} {tokens}"
    commands = {"memory": "cat /proc/meminfo", "edge-experts": ours}
    if gguf is not None:
        files["model.gguf"] = gguf
        commands["llama.cpp"] = (
            f"python3 -m device_tests.limited_llama /mnt/model.gguf {pieces} {tokens}"
        )
    steps = boot(board(_BOARD), commands, files, megabytes=megabytes, seconds=_SECONDS)
    memory = int(steps.pop("memory").output.split("MemTotal:")[1].split()[0]) * 1024
    return {"memory_bytes": memory, "engines": _found(steps)}


def _found(steps: Mapping[str, Step]) -> dict[str, dict[str, Any] | None]:
    found: dict[str, dict[str, Any] | None] = {}
    for name, step in steps.items():
        if step.code == _OUT_OF_MEMORY or "MemoryError" in step.output:
            found[name] = None
            continue
        if step.code:
            raise MachineError(f"{name} failed ({step.code}): {step.output[-500:]}")
        (line,) = (line for line in step.output.splitlines() if line.startswith("{"))
        found[name] = json.loads(line)
    return found
