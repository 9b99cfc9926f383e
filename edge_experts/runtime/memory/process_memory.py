"""Memory of a process, from /proc (Linux): total, anonymous pages and file pages."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple


class Memory(NamedTuple):
    """Bytes: resident set size, its peak since `reset_peak`, its kinds of pages, and swap.

    Shared pages are those of files in memory, such as the slots of packed experts.
    """

    resident: int
    peak: int
    anonymous: int
    file: int
    shared: int = 0
    swapped: int = 0

    @property
    def private(self) -> int:
        """Memory that is no file's: anonymous, shared and swapped out."""
        return self.anonymous + self.shared + self.swapped


def read(process: int | str = "self") -> Memory:
    """Read the memory of this process or of a process id; raises OSError without /proc."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    fields = dict(line.split(":", 1) for line in status.splitlines())

    def size(name: str) -> int:
        return int(fields[name].split()[0]) * 1024

    names = ("VmRSS", "VmHWM", "RssAnon", "RssFile", "RssShmem", "VmSwap")
    return Memory(*map(size, names))


def resident_bytes(process: int | str = "self") -> int:
    return read(process).resident


def reset_peak() -> None:
    """Restart the measurement of the peak (proc(5), clear_refs), if permitted."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
