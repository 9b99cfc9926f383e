"""Environment of a measurement: the details needed to compare it with another one."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ...runtime import interpreter
from ...version import VERSION


def describe() -> dict[str, object]:
    """Describe the machine, operating system and versions; unknown values are left out."""
    found: dict[str, object | None] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "edge_experts": VERSION,
        **interpreter.description(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "board": _text("/proc/device-tree/model"),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "governor": _text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load_average": round(os.getloadavg()[0], 2),
    }
    return {name: value for name, value in found.items() if value is not None}


def _cpu() -> str | None:
    for line in (_text("/proc/cpuinfo") or "").splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return None


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return None
