"""Files out of the system's page cache, so that reading them is reading the storage (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

_TRIES = 5


def evict(path: Path) -> None:
    """Ask the system to forget the file's pages.

    No right of root is needed (posix_fadvise(2), POSIX_FADV_DONTNEED).
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(descriptor)  # only pages that are written back can be dropped
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def can_evict(path: Path) -> bool:
    """Whether a file is read from the storage after `evict`, as the kernel counts it (proc(5), io).

    A file system that lives in memory keeps its files there.
    """
    try:
        for _ in range(_TRIES):  # pages that are in use just now stay
            evict(path)
            before = _bytes_from_storage()
            path.read_bytes()
            if _bytes_from_storage() > before:
                return True
    except OSError:  # a kernel that does not count
        pass
    return False


def _bytes_from_storage() -> int:
    lines = Path("/proc/self/io").read_text(encoding="utf-8").splitlines()
    return int(dict(line.split(": ") for line in lines)["read_bytes"])
