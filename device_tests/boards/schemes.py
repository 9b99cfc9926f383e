"""Instructions of a language model's tokens by each scheme of residency, with LiteRT.

They are counted in a whole machine, whose clock counts instructions: only old emulators of single
programs count, and these cannot run LiteRT. So the kernel's instructions are in the figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from edge_experts.errors import MachineError
from edge_experts.format.manifest_parser import read_manifest

from .extra_wheels import MOUNTED, extra_wheels
from .kinds import board
from .machine import boot

BOARD = "arm64-trixie"
_ROOT = "/root/model"  # in memory
_MEGABYTES, _TIMES = 1200, 8  # of the machine: for the system, and for each byte of the bundle
_SECONDS = 1800


def counts(processor: str, bundles: Mapping[str, Path]) -> dict[str, int]:
    """Install each bundle with packed experts, and count what its schemes of residency take.

    Returns:
        by "NAME, SCHEME/token" the instructions of a token with all experts in memory, and by
        "NAME, SCHEME/load" those of an expert that must be loaded, from the page cache.

    Raises:
        MachineError: the machine failed, or a bundle could not be installed.
    """
    found: dict[str, int] = {}
    for name, bundle in bundles.items():
        size = sum(entry.bytes for entry in read_manifest(bundle).files)
        steps = boot(
            board(BOARD),
            {
                "install": f"python3 -m edge_experts install /mnt/bundle {_ROOT} --packed",
                "count": f"python3 -m device_tests.residency_schemes {_ROOT} --count",
            },
            {"bundle": bundle, MOUNTED: extra_wheels(board(BOARD))},
            megabytes=_MEGABYTES + _TIMES * size // 1_000_000,
            cpu=processor,
            is_counted=True,
            seconds=_SECONDS,
        )
        for step in steps.values():
            if step.code:
                raise MachineError(f"{name} on {processor} failed: {step.output[-500:]}")
        lines = steps["count"].output.splitlines()
        (told,) = (json.loads(line) for line in lines if line.startswith("{"))
        for scheme, one in told["schemes"].items():
            if "token" in one:
                found |= {f"{name}, {scheme}/{part}": one[part] for part in ("token", "load")}
    return found
