"""Eviction of files from the page cache, so that reads come from storage (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

_TRIES = 5


def evict(path: Path) -> None:
    """Ask the system to evict the file's pages from the cache.

    It needs no root privileges (posix_fadvise(2), POSIX_FADV_DONTNEED).
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(descriptor)  # only pages that are written back can be evicted
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def can_evict(path: Path) -> bool:
    """Test if a file is read from storage after `evict`, by the kernel's counters (proc(5), io).

    A file system that lives in memory keeps its files there.
    """
    try:
        for _ in range(_TRIES):  # pages in use are not evicted
            evict(path)
            before = bytes_from_storage()
            path.read_bytes()
            if bytes_from_storage() > before:
                return True
    except OSError:  # a kernel without these counters
        pass
    return False


def bytes_from_storage() -> int:
    """Return the bytes that this process read from storage, also by faults of its mappings."""
    lines = Path("/proc/self/io").read_text(encoding="utf-8").splitlines()
    return int(dict(line.split(": ") for line in lines)["read_bytes"])
