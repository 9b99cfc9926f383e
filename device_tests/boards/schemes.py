"""Instructions of an expert's load and call by each scheme of residency, with LiteRT.

They are counted in a whole machine, whose clock counts instructions: the emulators of single
programs that count cannot run LiteRT. So the kernel's instructions are in the figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from edge_experts.errors import MachineError

from .kinds import board
from .machine import boot

_BOARD = "arm64-trixie"
_MEGABYTES, _SECONDS = 512, 1800
_ILLEGAL = 132  # exit code of a process that SIGILL ends, as CompiledModel does on some processors


def counts(processor: str, experts: Mapping[str, Path]) -> dict[str, int]:
    """Count what an expert takes by each scheme that is possible on a processor.

    Args:
        experts: .tflite files of language models' experts, by name.

    Returns:
        by "NAME, SCHEME/call" the instructions for one token, and by "NAME, SCHEME/load" those of
        loading it from the page cache, with the first call.

    Raises:
        MachineError: the machine or the program on it failed.
    """
    files = {f"{number}.tflite": path for number, path in enumerate(experts.values())}
    steps = boot(
        board(_BOARD),
        {file: f"python3 -m device_tests.expert_loads /mnt/{file}" for file in files},
        files,
        megabytes=_MEGABYTES,
        cpu=processor,
        is_counted=True,
        seconds=_SECONDS,
    )
    found: dict[str, int] = {}
    for name, step in zip(experts, steps.values(), strict=True):
        if step.code not in (0, _ILLEGAL):
            raise MachineError(f"{name} on {processor} failed: {step.output[-500:]}")
        lines = [line for line in step.output.splitlines() if line.startswith("{")]
        for scheme, parts in (item for line in lines for item in json.loads(line).items()):
            found |= {f"{name}, {scheme}/{part}": count for part, count in parts.items()}
    return found
