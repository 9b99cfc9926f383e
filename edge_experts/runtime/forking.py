"""Runtimes in processes that are forked off (os.fork, and process pools that use it).

Of a process with threads, only the forking one lives on in the child: a lock that another held is
never opened, and an interpreter may be in the middle of an answer, or wait for threads of its own
that are gone. So a child takes nothing over but checked bytes. What it inherited stays in memory
that it shares with its parent: a destructor could wait for ever.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    def after_fork(self) -> None:
        """Called in the child, before anything else happens there."""


_watched: weakref.WeakSet[Forkable] = weakref.WeakSet()
_kept: list[object] = []


def watch(runtime: Forkable) -> None:
    """Call its `after_fork` in every child, for as long as it lives."""
    _watched.add(runtime)


def keep(*inherited: object) -> None:
    """Never destroy these."""
    _kept.extend(inherited)


def _in_child() -> None:
    for runtime in list(_watched):
        runtime.after_fork()


os.register_at_fork(after_in_child=_in_child)
