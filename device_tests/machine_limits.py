"""Limits that the kernel keeps for a process: memory with its page cache, and reads a second.

They are control groups of version 1 or 2, which takes the right to create them (usually root's).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_experts.errors import MachineError

_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Limits:
    """Limits of a process.

    Attributes:
        memory: bytes, with the page cache that the process fills, without swap; None: unlimited.
        storage: bytes a second that are read from the disk; None: as fast as it is.
        is_cold: its files are dropped from the page cache first.
    """

    memory: int | None = None
    storage: int | None = None
    is_cold: bool = False


@contextlib.contextmanager
def groups(limits: Limits, disk: Path) -> Iterator[Sequence[Path]]:
    """Create the control groups that a process has to enter; removed when all have left.

    Args:
        disk: a file on the disk whose reads are limited.

    Raises:
        MachineError: this system does not allow it.
    """
    made: list[Path] = []
    try:
        try:
            for folder, settings in _settings(limits, disk).items():
                folder.mkdir()
                made.append(folder)
                for name, value in settings.items():
                    (folder / name).write_text(value, encoding="ascii")
        except OSError as error:
            raise MachineError(
                f"{error.filename or _ROOT}: no cgroup with this limit can be made: {error}"
            ) from None
        yield made
    finally:
        for folder in made:
            folder.rmdir()


def enter(made: Iterable[Path]) -> None:
    """Put this process into control groups."""
    for folder in made:
        (folder / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


def _settings(limits: Limits, disk: Path) -> dict[Path, dict[str, str]]:
    """Return the control groups, and what is to be written to their files."""
    name = f"edge-experts-{os.getpid()}"
    device = disk.stat().st_dev
    place = f"{os.major(device)}:{os.minor(device)}"
    found: dict[Path, dict[str, str]] = {}
    if (_ROOT / "memory").is_dir():  # version 1: a tree for each kind of limit
        if limits.memory is not None:
            memory = {"memory.swappiness": "0", "memory.limit_in_bytes": str(limits.memory)}
            found[_ROOT / "memory" / name] = memory
        if limits.storage is not None:
            rate = f"{place} {limits.storage}"
            found[_ROOT / "blkio" / name] = {"blkio.throttle.read_bps_device": rate}
        return found
    both: dict[str, str] = {}
    if limits.memory is not None:
        both |= {"memory.max": str(limits.memory)}
        if (_ROOT / "memory.swap.max").exists():
            both |= {"memory.swap.max": "0"}
    if limits.storage is not None:
        both |= {"io.max": f"{place} rbps={limits.storage}"}
    return {_ROOT / name: both} if both else {}
