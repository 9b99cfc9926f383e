"""Room for files in the page cache, beside the memory that programs use (Linux)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")


def read(root: Path = _ROOT) -> int | None:
    """Return the bytes of files that the page cache can hold now; None if the system says nothing.

    It is the least of what the system has, and what the process's control groups allow.

    Args:
        root: folder with `proc` and `sys`.
    """
    rooms = [*_of_system(root), *_of_groups(root)]
    return max(0, min(rooms)) if rooms else None


def _of_system(root: Path) -> Iterator[int]:
    with contextlib.suppress(OSError, ValueError, KeyError):
        yield 1024 * int(_fields(root / "proc/meminfo")["MemAvailable:"].split()[0])


def _of_groups(root: Path) -> Iterator[int]:
    """Yield the room that each control group with a limit leaves (versions 1 and 2)."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    mounted = root / "sys/fs/cgroup"
    for line in lines:
        number, kinds, path = [*line.split(":", 2), "", ""][:3]
        if "memory" in kinds.split(","):
            tops, names = [mounted / "memory"], _VERSION_1
        elif number == "0":
            tops, names = [mounted, mounted / "unified"], _VERSION_2
        else:
            continue
        for top in tops:
            below = top / path.strip("/")
            for folder in (below, *below.parents):
                if folder.is_relative_to(top):
                    yield from _of_group(folder, *names)


# Files with the limit and the usage, and the fields of memory.stat: all pages of files, and those
# of them that are programs' memory.
_VERSION_1 = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache", "total_shmem"
_VERSION_2 = "memory.max", "memory.current", "file", "shmem"


def _of_group(folder: Path, limit: str, usage: str, file: str, shared: str) -> Iterator[int]:
    # ValueError: no number, as "max", which is no limit.
    with contextlib.suppress(OSError, ValueError, KeyError):
        most, used = (int((folder / name).read_text("ascii")) for name in (limit, usage))
        fields = _fields(folder / "memory.stat")
        yield most - used + int(fields[file]) - int(fields[shared])


def _fields(path: Path) -> dict[str, str]:
    """Read lines of a name and a value."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines)
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
