"""SIGTERM and SIGHUP end a command as Ctrl-C does, after removing unfinished files."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_AGAIN = 5.0  # seconds in which signals do not end the cleanup


CLOSED_PIPE = 128 + signal.SIGPIPE  # exit code of a program whose reader is gone


def abandon_stdout() -> None:
    """Discard further output, also at exit, where Python would fail once more."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class Terminated(KeyboardInterrupt):
    """The process received a signal to end."""


@contextlib.contextmanager
def orderly_end() -> Iterator[None]:
    """Raise `Terminated` in the block on SIGTERM and SIGHUP, then end the process by that signal.

    The parent process sees the signal: a shell 143 or 129, systemd a clean stop. An ignored signal,
    such as SIGHUP under nohup, stays ignored. For command lines only: a library leaves signals to
    its program.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[tuple[int, float]] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if received and now - received[-1][1] < _AGAIN:
            return
        received.append((number, now))
        raise Terminated

    def end() -> None:
        if received:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
            signal.signal(received[0][0], signal.SIG_DFL)
            os.kill(os.getpid(), received[0][0])

    atexit.register(end)  # registered first, so that it runs last
    caught = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in caught:
        signal.signal(number, interrupt)
    try:
        yield
    except Terminated:
        sys.exit(128 + received[0][0])  # `end` sets the final status
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)
