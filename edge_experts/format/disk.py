"""What changes the storage, one function an operation.

Whatever must survive lost power goes through here, so that tests can let every single operation
fail, and replay what a disk may have kept of them (tests/faults). An order between them that
matters is made by `fsync`: of a file for its bytes, of a folder for the names in it (Pillai et
al., 2014, "All file systems are not created equal").
"""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Make a new file; nothing of it is on the disk for sure before `fsync`."""
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
    """Give another name within the same folder, in one step; a file that has it is replaced."""
    old.replace(new)


def link(old: Path, new: Path) -> None:
    """A second name for the same file, where the file system has such."""
    new.hardlink_to(old)


def symlink(target: str, path: Path) -> None:
    """Make a link that says `target`."""
    path.symlink_to(target)


def mkdir(path: Path) -> None:
    """Make an empty folder."""
    path.mkdir()


def unlink(path: Path) -> None:
    """Remove a file or a link."""
    path.unlink()


def rmdir(path: Path) -> None:
    """Remove an empty folder."""
    path.rmdir()
