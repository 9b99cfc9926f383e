"""Runtimes in forked processes (os.fork, and process pools that use it).

Only the forking thread exists in the child: a lock that another thread held is never released, and
an interpreter may have been in the middle of an inference, or wait for worker threads that are
gone. So a child reuses only checked bytes. Inherited objects stay in the memory that it shares with
its parent and are never destroyed, because a destructor could wait forever.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    def after_fork(self) -> None:
        """Reset the object in the child, before anything else runs there."""


_watched: weakref.WeakSet[Forkable] = weakref.WeakSet()
_kept: list[object] = []


def watch(runtime: Forkable) -> None:
    """Call its `after_fork` in every child, for as long as the object exists."""
    _watched.add(runtime)


def keep(*inherited: object) -> None:
    """Never destroy these objects."""
    _kept.extend(inherited)


def _in_child() -> None:
    for runtime in list(_watched):
        runtime.after_fork()


os.register_at_fork(after_in_child=_in_child)
