"""Bounded reads of untrusted files: they never block, and their memory is limited."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import MachineError


def read_at_most(path: str | Path, most: int) -> bytes | None:
    """Read a file, at most `most` bytes and one more if it is longer; None without a file.

    Raises:
        MachineError: the operating system does not permit the read.
    """
    try:
        # Without O_NONBLOCK, opening a pipe waits for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            # By the file's size: `most` may come from a hostile manifest, and is allocated at once.
            return _read(descriptor, min(most, status.st_size) + 1)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise MachineError(f"{path}: {error.strerror or error}") from None


def _read(descriptor: int, most: int) -> bytes:
    """Read at most `most` bytes; a file object would double the read time of a small expert."""
    content = os.read(descriptor, most)
    while len(content) < most and (more := os.read(descriptor, most - len(content))):
        content += more  # a network file system may return parts
    return content
