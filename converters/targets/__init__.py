"""Targets of bundles and their checks: a file for each target. Imports no TensorFlow."""

from __future__ import annotations

from edge_experts.errors import UsageError

from .bookworm import PI_BOOKWORM
from .litert import LITERT
from .microcontroller import MICROCONTROLLER
from .target import Target
from .trixie import PI_TRIXIE

TARGETS = {target.name: target for target in (PI_BOOKWORM, PI_TRIXIE, LITERT, MICROCONTROLLER)}


def named(name: str) -> Target:
    """Return the target of that name.

    Raises:
        UsageError: it does not exist.
    """
    if name not in TARGETS:
        raise UsageError(f"target must be one of {tuple(TARGETS)}, got {name!r}")
    return TARGETS[name]


__all__ = ["TARGETS", "Target", "named"]
