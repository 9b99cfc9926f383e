"""Memory of experts on a small board, compared with one dense network of as many weights.

Both run in virtual machines of 512 and 128 MB: 64 experts of 1 MB in int8, of which the budget
holds two, and a dense network of 64 MB. Weights are random, which does not affect memory.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from edge_experts.errors import MachineError
from edge_experts.format.manifest_parser import read_manifest

from .bundles import synthetic
from .kinds import board
from .machine import Step, boot

_BOARD = "arm64-bookworm"
_EXPERTS, _RESIDENT = 64, 2
# 64 * a + a * a + a * 10 weights: 1.03 million of an expert, 66.1 million of the dense network.
_BUNDLES = {"sparse": (_EXPERTS, "980,980"), "dense": (1, "8092,8092")}
_OUT_OF_MEMORY = 137  # exit code of a process that the kernel kills


@dataclass(frozen=True)
class Figures:
    """Figures of one machine, in bytes.

    Attributes:
        answered: number of experts that answered.
        sparse_growth, dense_growth: peak resident memory above that of Python with the interpreter;
            None if the kernel killed the process for lack of memory.
        bound: the limit of `sparse_growth`: 2 x (router + experts in memory) + 4 MB.
        labels: of each expert's answer.
    """

    megabytes: int
    experts: int
    answered: int
    bound: int
    sparse_growth: int
    dense_growth: int | None
    labels: dict[str, str]


def measure(megabytes: int) -> Figures:
    """Boot a machine with so much memory, and run both on it.

    Raises:
        MachineError: the experts did not answer, or the dense network failed for another reason.
    """
    files = synthetic("large", _BUNDLES)
    manifest = read_manifest(files["sparse"])
    router, expert = manifest.router, manifest.experts[0]
    assert router is not None
    room = router.resident_bytes + _RESIDENT * expert.resident_bytes
    answer = "python3 -m device_tests.every_expert /mnt"
    steps = boot(
        board(_BOARD),
        {"sparse": f"{answer}/sparse {room / 1e6}", "dense": f"{answer}/dense"},
        files,
        megabytes=megabytes,
    )
    sparse, dense = _found(steps["sparse"]), _found(steps["dense"])
    if sparse is None:
        raise MachineError(f"the experts do not fit {megabytes} MB: {steps['sparse'].output}")
    return Figures(
        megabytes=megabytes,
        experts=len(manifest.experts),
        answered=len(sparse["labels"]),
        bound=2 * (router.bytes + _RESIDENT * expert.bytes) + 4_000_000,
        sparse_growth=sparse["growth"],
        dense_growth=None if dense is None else dense["growth"],
        labels=sparse["labels"],
    )


def _found(step: Step) -> dict[str, Any] | None:
    """Parse the measurements of the process; None if it ran out of memory."""
    if step.code == _OUT_OF_MEMORY or "MemoryError" in step.output:
        return None
    if step.code:
        raise MachineError(f"measuring failed ({step.code}): {step.output[-300:]}")
    (line,) = (line for line in step.output.splitlines() if line.startswith("{"))
    found: dict[str, Any] = json.loads(line)
    return found
