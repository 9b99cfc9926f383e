"""SIGTERM and SIGHUP end a command as Ctrl-C does: what is unfinished is removed first."""

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
_AGAIN = 5.0  # seconds after a signal in which others do not interrupt the cleaning up


class Terminated(KeyboardInterrupt):
    """The process was told to end by a signal."""


@contextlib.contextmanager
def orderly_end() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise `Terminated`; then the process ends by that signal.

    So whoever waits for it sees what has ended it: a shell 143 or 129, systemd a clean stop. A
    signal that is ignored, as SIGHUP is under nohup, stays ignored. For command lines only: a
    library leaves signals to the program that it is part of.
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

    atexit.register(end)  # before all others, so that it runs after them
    caught = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in caught:
        signal.signal(number, interrupt)
    try:
        yield
    except Terminated:
        sys.exit(128 + received[0][0])  # `end` has the last word
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)
