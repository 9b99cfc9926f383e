"""Filter for output that native code writes to stderr."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import IO

_LOCK = threading.Lock()  # stderr is shared by all threads


@contextlib.contextmanager
def held_back(is_chatter: Callable[[str], bool]) -> Iterator[None]:
    """Buffer what is written to file descriptor 2, and pass on all lines but chatter at the end.

    If the block raises, all lines are passed on, since they may state the cause. Output of other
    threads during the block is buffered too. If stderr is closed, the filter does nothing.

    Args:
        is_chatter: true for a line that is to be dropped.
    """
    with _LOCK, contextlib.ExitStack() as stack:
        try:
            sys.stderr.flush()
            stderr = os.dup(2)
        except (OSError, ValueError, AttributeError):  # closed, or None
            yield
            return
        stack.callback(os.close, stderr)
        log = stack.enter_context(_temporary())
        os.dup2(log.fileno(), 2)
        try:
            yield
        except BaseException:
            _end(log, stderr, lambda line: False)
            raise
        _end(log, stderr, is_chatter)


def _end(log: IO[bytes], stderr: int, is_chatter: Callable[[str], bool]) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    os.dup2(stderr, 2)
    log.seek(0)
    for line in log:
        if not is_chatter(line.decode(errors="replace")):
            with contextlib.suppress(OSError):  # the reader of stderr is gone
                os.write(stderr, line)


def _temporary() -> IO[bytes]:
    """Create a file in memory, since a disk may be full; a temporary file where not supported."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    return tempfile.TemporaryFile()
