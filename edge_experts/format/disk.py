"""Operations that change the storage, one function each.

All writes that must survive a power failure use these functions, so that tests can make each
operation fail and replay the states that a disk may have kept (tests/faults). Where the order of
operations matters, `fsync` enforces it: on a file for its bytes, on a folder for the names in it
(Pillai et al., 2014, "All file systems are not created equal").
"""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Create a file; its content is guaranteed to be on the disk only after `fsync`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def fsync(path: Path) -> None:
    """Wait until a file's bytes, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename(old: Path, new: Path) -> None:
    """Rename atomically within a folder; an existing file is replaced."""
    old.replace(new)


def link(old: Path, new: Path) -> None:
    """Create a hard link, on file systems that support it."""
    new.hardlink_to(old)


def symlink(target: str, path: Path) -> None:
    """Create a symbolic link to `target`."""
    path.symlink_to(target)


def mkdir(path: Path) -> None:
    """Create an empty folder."""
    path.mkdir()


def unlink(path: Path) -> None:
    """Remove a file or a link."""
    path.unlink()


def rmdir(path: Path) -> None:
    """Remove an empty folder."""
    path.rmdir()
