"""Files out of the system's page cache, so that reading them is reading the storage (Linux)."""

from __future__ import annotations

import os
from pathlib import Path


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
    """Whether the system does as `evict` asks; a file system that lives in memory does not.

    Not to be asked before each measurement: the question itself can start to read the file.
    """
    evict(path)
    descriptor = os.open(path, os.O_RDONLY)
    try:  # to read without waiting for the storage, preadv2(2)
        return not os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return True
    except OSError:  # a file system that cannot tell
        return False
    finally:
        os.close(descriptor)
