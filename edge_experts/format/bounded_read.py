"""Bounded reads of untrusted files: they never block, and their memory is limited."""

from __future__ import annotations

import os
import stat
from io import FileIO
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


def open_regular(path: str | Path) -> FileIO | None:
    """Open a file without waiting for anybody; None without a regular file.

    Raises:
        MachineError: the operating system does not permit it.
    """
    try:
        file = FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), closefd=True)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise MachineError(f"{path}: {error.strerror or error}") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        return None
    return file


def _read(descriptor: int, most: int) -> bytes:
    """Read at most `most` bytes; a file object would double the read time of a small expert."""
    content = os.read(descriptor, most)
    while len(content) < most and (more := os.read(descriptor, most - len(content))):
        content += more  # a network file system may return parts
    return content
