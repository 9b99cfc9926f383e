"""Memory that the system may not swap out: that of dense parts, which every token needs (mlock(2)).

The interpreter does not tell where its copies of the weights are. So the memory is locked that was
mapped while the parts were opened: every block of 64 KiB and more is a mapping
(`allocator.map_large_blocks`).
"""

from __future__ import annotations

import ctypes
import errno
import functools
import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

Range = tuple[int, int]  # addresses: first, and that after the last
_MAPS = Path("/proc/self/maps")


@dataclass(frozen=True)
class Locked:
    """Result of locking.

    Attributes:
        bytes: that are locked.
        of: bytes that were to be locked.
        problem: why not all of them are; empty if they are.
    """

    bytes: int = 0
    of: int = 0
    problem: str = ""

    def told(self) -> str:
        """Say how much of the dense parts' memory is locked, and why not all of it."""
        if not self.of and not self.problem:
            return "no dense part is large enough to be locked in memory"
        why = f" ({self.problem})" if self.problem else ""
        return f"{self.bytes:,} of {self.of:,} bytes of dense parts are locked in memory{why}"


def mapped() -> list[Range]:
    """List the anonymous mappings of this process but its heap; empty where /proc has none."""
    found: list[Range] = []
    try:
        lines = _MAPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    for line in lines:
        addresses, rights, _, _, inode, *path = line.split(maxsplit=5)
        if rights.startswith("rw-p") and inode == "0" and not path:
            first, end = addresses.split("-")
            found.append((int(first, 16), int(end, 16)))
    return found


def lock_new(before: Sequence[Range]) -> Locked:
    """Lock the anonymous pages in memory that `mapped` did not list `before`, the smallest first.

    They are unlocked when they are freed. What other threads map meanwhile is locked as well. No
    failure is an error: without the right to lock, memory is used as it is.
    """
    now = mapped()
    if not now:
        return Locked(problem="this system does not list its memory")
    new = list(_without(now, before))
    try:
        pages = sorted((one for part in new for one in _resident(*part)), key=_size)
        total = sum(map(_size, pages))
        locked = 0
        for first, end in pages:
            if _libc().mlock(first, end - first):
                return Locked(locked, total, _reason(ctypes.get_errno()))
            locked += end - first
    except (OSError, AttributeError) as error:  # another C library, or none
        return Locked(0, sum(map(_size, new)), f"mlock is not supported here: {error}")
    return Locked(locked, total)


def _without(ranges: Sequence[Range], others: Sequence[Range]) -> Iterator[Range]:
    """Remove `others` from `ranges`, both in order of addresses, and yield what remains."""
    for first, end in ranges:
        for start, stop in others:
            if stop <= first or start >= end:
                continue
            if start > first:
                yield first, start
            first = stop
        if first < end:
            yield first, end


def _resident(first: int, end: int) -> Iterator[Range]:
    """Yield the parts of a range that are in memory: others, as of stacks, would be filled."""
    page = mmap.PAGESIZE
    states = (ctypes.c_ubyte * ((end - first) // page))()
    if _libc().mincore(first, end - first, states):
        return  # unmapped since
    start = None
    for number, state in enumerate([*(one & 1 for one in states), 0]):
        if state and start is None:
            start = number
        elif not state and start is not None:
            yield first + start * page, first + number * page
            start = None


def _size(part: Range) -> int:
    return part[1] - part[0]


def _reason(code: int) -> str:
    """Say why mlock failed, with the limit that is the usual cause."""
    problem = os.strerror(code)
    if code in (errno.ENOMEM, errno.EPERM, errno.EAGAIN):
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        if limit != resource.RLIM_INFINITY:
            problem += f"; `ulimit -l` allows {limit:,} bytes"
    return problem


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mlock.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    return libc
