"""Limits that the kernel keeps for one process: memory with its page cache, and reads a second.

Control groups of version 1 or 2, created by the superuser. Files are first dropped from the page
cache, so that what is read comes from the storage.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_experts.errors import MachineError

_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Limits:
    """Limits of a process.

    Attributes:
        memory: bytes of memory, with the page cache that the process fills; None: unlimited.
        storage: bytes a second that are read from the disk; None: as fast as it is.
        is_cold: files are dropped from the page cache first.
    """

    memory: int | None = None
    storage: int | None = None
    is_cold: bool = False


@contextlib.contextmanager
def kept(limits: Limits, files: Iterable[Path]) -> Iterator[None]:
    """Keep the limits for this process, whose engine reads `files`.

    Raises:
        MachineError: this machine or user cannot create control groups.
    """
    files = list(files)
    if limits.is_cold:
        _drop(files)
    wanted = _files_of(limits, files[0])
    made: list[Path] = []
    try:
        for folder, settings in wanted.items():
            folder.mkdir(exist_ok=True)
            made.append(folder)
            for name, value in settings.items():
                (folder / name).write_text(value, encoding="ascii")
            (folder / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
    except OSError as error:
        _leave(made)
        raise MachineError(
            f"{error.filename}: {error.strerror}; limits need the superuser and control groups"
        ) from None
    try:
        yield
    finally:
        _leave(made)


def _files_of(limits: Limits, example: Path) -> dict[Path, dict[str, str]]:
    """Return the control groups, and what is to be written to their files."""
    name = f"edge-experts-{os.getpid()}"
    if (_ROOT / "memory").is_dir():  # version 1: a tree for each kind of limit
        memory, storage, top, disk = _ROOT / "memory" / name, _ROOT / "blkio" / name, "", ""
        top, disk = "memory.limit_in_bytes", "blkio.throttle.read_bps_device"
    else:
        memory = storage = _ROOT / name
        top, disk = "memory.max", "io.max"
    wanted: dict[Path, dict[str, str]] = {}
    if limits.memory is not None:
        swap = {"memory.swappiness": "0"} if top.endswith("bytes") else {"memory.swap.max": "0"}
        wanted.setdefault(memory, {}).update({**swap, top: str(limits.memory)})
    if limits.storage is not None:
        device = os.stat(example).st_dev
        place = f"{os.major(device)}:{os.minor(device)}"
        sign = "" if disk.startswith("blkio") else "rbps="
        wanted.setdefault(storage, {})[disk] = f"{place} {sign}{limits.storage}"
    return wanted


def _leave(groups: Iterable[Path]) -> None:
    for folder in groups:
        with contextlib.suppress(OSError):
            (folder.parent / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
            folder.rmdir()


def _drop(files: Iterable[Path]) -> None:
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # pages that are not written yet cannot be dropped
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def bytes_read() -> int:
    """Return the bytes that this process read from the storage, /proc/self/io."""
    for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines():
        if line.startswith("read_bytes:"):
            return int(line.split()[1])
    return 0
