"""Language model larger than a board's memory, in a machine of that size, beside llama.cpp.

The machine is emulated, or a control group of this one: a token takes an emulated one minutes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from device_tests import limited_llama, limited_text
from edge_experts import subprocesses
from edge_experts.benchmarking.measure import page_cache
from edge_experts.errors import BundleError, MachineError
from edge_experts.format.install_root import resolve
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime.tasks.language_model.network_settings import read_settings

from ..machine_limits import Limits, enter, groups
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


def measure_here(
    bundle: Path, gguf: Path | None, *, megabytes: int, budget: int, tokens: int
) -> dict[str, Any]:
    """Do the same in control groups of this machine, with files that are not in the page cache.

    llama.cpp needs the package xllamacpp here.

    Args:
        bundle: as for `measure`, or an install root, whose packed experts are used.

    Raises:
        MachineError: no control group can be made here, which takes the superuser.
        BundleError: an engine failed.
    """
    pieces = read_settings(read_manifest(resolve(bundle))).pieces
    limits = Limits(memory=megabytes << 20, is_cold=True)
    found: dict[str, Any] = {}
    with groups(limits, bundle) as made:
        found["edge-experts"] = _killed_or(_ours, made, bundle, budget, tokens)
    if gguf is not None:
        with groups(limits, gguf) as made:
            found["llama.cpp"] = _killed_or(_llama, made, gguf, pieces, tokens)
    return {"memory_bytes": limits.memory, "engines": found}


def _killed_or(measured: Any, *arguments: Any) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = subprocesses.call(measured, *arguments)
    except BundleError as error:
        if "SIGKILL" in str(error):
            return None
        raise
    return found


def _ours(made: Sequence[Path], bundle: Path, budget: int, tokens: int) -> dict[str, Any]:
    for path in bundle.rglob("*"):
        if path.is_file():
            page_cache.evict(path)
    enter(made)
    return limited_text.measure(bundle, budget, tokens)


def _llama(made: Sequence[Path], gguf: Path, pieces: int, tokens: int) -> dict[str, Any]:
    page_cache.evict(gguf)
    enter(made)
    return limited_llama.measure(gguf, pieces, tokens)


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
