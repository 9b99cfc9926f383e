"""Files that anyone may have put there, read without waiting and without more memory than asked."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import MachineError


def read_at_most(path: str | Path, most: int) -> bytes | None:
    """The content of a file; `most` bytes and one where it is longer; None where there is no file.

    Raises:
        MachineError: the machine does not let us read it.
    """
    try:
        # Without O_NONBLOCK, to open a pipe is to wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            # By its own size: `most` may be a hostile manifest's, and is allocated at once.
            return _read(descriptor, min(most, status.st_size) + 1)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise MachineError(f"{path}: {error.strerror or error}") from None


def _read(descriptor: int, most: int) -> bytes:
    """Up to so many bytes; a file object would take as long again as a small expert's bytes."""
    content = os.read(descriptor, most)
    while len(content) < most and (more := os.read(descriptor, most - len(content))):
        content += more  # a network's file system gives what it has
    return content
