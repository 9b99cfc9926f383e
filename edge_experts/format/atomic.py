"""Atomic folders and files: written beside their target, then renamed to it."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import EdgeExpertsError, MachineError, UsageError
from . import disk

PARTIAL = ".partial"  # suffix of unfinished files and folders, whose names begin with a dot
_KEY = ".key"  # file in a folder that can be resumed


def refuse_existing(target: Path, *, force: bool) -> None:
    """Check that `target` can be written, before the work starts.

    Raises:
        UsageError: it exists and `force` is not given, or its parent does not exist.
    """
    if target.exists() and not force:
        raise UsageError(f"{target} exists already; name another folder, or pass --force")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{target}: the folder {target.absolute().parent} does not exist")


@contextlib.contextmanager
def staged(target: Path, *, force: bool = False) -> Iterator[Path]:
    """Yield a new folder to fill, which becomes `target` if the block ends without an error.

    Otherwise it is removed, and `target` stays as it was. Everything is flushed to disk before the
    rename, so that a power failure cannot leave half a folder.
    """
    refuse_existing(target, force=force)
    target = target.absolute()
    folder = _beside(target)
    disk.mkdir(folder)
    try:
        yield folder
        _flush(folder)
        _replace(folder, target)
    except BaseException:
        with contextlib.suppress(OSError):
            remove(folder)
        raise


@contextlib.contextmanager
def resumed(target: Path, key: str, *, force: bool = False) -> Iterator[Path]:
    """Yield a folder as `staged` does, which an interrupted process leaves for the next one.

    The next call with the same target and key gets it with its contents, another one an empty
    folder. An error of this package removes it, but not a failure of the machine: free the disk
    and try again. Nobody else may write to the same target meanwhile.

    Args:
        key: identifies what the folder is made of.

    Raises:
        UsageError: as `refuse_existing`; or another process works on the target.
    """
    refuse_existing(target, force=force)
    target = target.absolute()
    folder = target.with_name(f".{target.name}{PARTIAL}")
    lock = folder.with_suffix(".lock")
    with _locked(lock, target):
        _keep_or_clear(folder, key)
        try:
            yield folder
            disk.unlink(folder / _KEY)
            _flush(folder)
            _replace(folder, target)
        except EdgeExpertsError as error:
            if not isinstance(error, MachineError):
                with contextlib.suppress(OSError):
                    remove(folder)
            raise


@contextlib.contextmanager
def _locked(lock: Path, target: Path) -> Iterator[None]:
    """Hold a lock file, which ends with the process."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{target}: another process is making it; wait for it") from None
        yield
        with contextlib.suppress(FileNotFoundError):
            disk.unlink(lock)
    finally:
        os.close(descriptor)


def _keep_or_clear(folder: Path, key: str) -> None:
    """Create the folder with its key, or keep the one that has it."""
    stated = folder / _KEY
    if folder.is_dir():
        if stated.is_file() and stated.read_text("utf-8", "replace") == key:
            return
        remove(folder)
    disk.mkdir(folder)
    write_whole(stated, key)


def write_whole(path: Path, content: str | bytes, *, mode: int = 0o666) -> None:
    """Write a file atomically; an existing file is replaced.

    A target that is not a regular file, such as /dev/null or a pipe, is written to, not replaced.

    Raises:
        UsageError: the target is a folder.
    """
    raw = content.encode() if isinstance(content, str) else content
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a file")
    if path.exists() and not path.is_file():
        path.write_bytes(raw)
        return
    beside = _beside(path)
    try:
        disk.write(beside, raw, mode=mode)
        disk.fsync(beside)
        disk.rename(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            disk.unlink(beside)
        raise
    disk.fsync(path.absolute().parent)


def remove(folder: Path) -> None:
    """Remove a file, or a folder with its contents; links are not followed."""
    if folder.is_dir() and not folder.is_symlink():
        for inside in sorted(folder.iterdir()):
            remove(inside)
        disk.rmdir(folder)
    else:
        disk.unlink(folder)


def cache_folder() -> Path:
    """Return the folder for files that can be recreated: $EDGE_EXPERTS_CACHE, or a default."""
    chosen = os.environ.get("EDGE_EXPERTS_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "edge-experts"
    try:
        return Path.home() / ".cache" / "edge-experts"
    except RuntimeError:  # neither $HOME nor an entry in passwd, as in containers
        return _temporary_cache()


@functools.cache
def _temporary_cache() -> Path:
    """Return a folder that only this user can write, for users without a home."""
    folder = Path(tempfile.gettempdir()) / f"edge-experts-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if is_ours and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return folder
    return Path(tempfile.mkdtemp(prefix="edge-experts-"))  # another user took the name


def _beside(path: Path) -> Path:
    """Return an unused name in the same folder."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")


def _replace(folder: Path, target: Path) -> None:
    if target.exists():
        old = folder.with_suffix(".old")
        try:
            disk.rename(target, old)
            disk.rename(folder, target)
        except OSError:
            if old.exists() and not target.exists():
                disk.rename(old, target)
            raise
        disk.fsync(target.parent)  # before the old one is removed: a disk may reorder the two
        remove(old)
    else:
        disk.rename(folder, target)
        disk.fsync(target.parent)


def _flush(folder: Path) -> None:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            disk.fsync(Path(parent, name))
        disk.fsync(Path(parent))
