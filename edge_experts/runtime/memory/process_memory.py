"""A process's memory, from /proc (Linux): all, and what of it is anonymous or file pages."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple


class Memory(NamedTuple):
    """Bytes: resident now, the most since `reset_peak`, and the two kinds of pages now."""

    resident: int
    peak: int
    anonymous: int
    file: int


def read(process: int | str = "self") -> Memory:
    """Of this process, or the one of a number. Raises OSError where there is no /proc."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    fields = dict(line.split(":", 1) for line in status.splitlines())

    def size(name: str) -> int:
        return int(fields[name].split()[0]) * 1024

    return Memory(size("VmRSS"), size("VmHWM"), size("RssAnon"), size("RssFile"))


def resident_bytes(process: int | str = "self") -> int:
    return read(process).resident


def reset_peak() -> None:
    """Count the peak from now on (proc(5), clear_refs); without the right to, from the start."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
