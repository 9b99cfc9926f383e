"""Output that C code writes to stderr, below Python: held back where it is chatter."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import IO

_LOCK = threading.Lock()  # there is one stderr


@contextlib.contextmanager
def held_back(is_chatter: Callable[[str], bool]) -> Iterator[None]:
    """Holds back what is written to file descriptor 2, and passes on all lines but chatter.

    If the block raises, every line is passed on: it may say why. What other threads write
    meanwhile is held back too. Where stderr is closed, nothing is done.

    Args:
        is_chatter: whether a line is to be dropped.
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
            with contextlib.suppress(OSError):  # whoever read it is gone
                os.write(stderr, line)


def _temporary() -> IO[bytes]:
    """A file in memory, since a board's disk may be full; a temporary one where there is none."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    return tempfile.TemporaryFile()
