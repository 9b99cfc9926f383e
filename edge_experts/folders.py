"""Folders that appear whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .errors import UsageError


def refuse_existing(target: Path, *, force: bool) -> None:
    """Say so before the work starts, rather than after it, when `target` cannot be written.

    Raises:
        UsageError: it exists and `force` is not given, or its parent does not exist.
    """
    if target.exists() and not force:
        raise UsageError(f"{target} exists already; name another folder, or pass --force")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{target}: the folder {target.absolute().parent} does not exist")


@contextlib.contextmanager
def staged(target: Path, *, force: bool = False) -> Iterator[Path]:
    """A new folder to fill, which becomes `target` when the block ends without an error.

    Otherwise it is removed, and whatever `target` was before is still there. Everything is
    flushed to disk before the rename, so that not even lost power leaves half a folder.
    """
    refuse_existing(target, force=force)
    target = target.absolute()
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        yield folder
        folder.chmod(0o755)  # mkdtemp's is 0o700
        _flush(folder)
        _replace(folder, target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that appears whole or not at all; an earlier one is replaced."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        _fsync(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def cache_folder() -> Path:
    """What can be fetched or made again: $EDGE_EXPERTS_CACHE, else in the user's cache folder."""
    chosen = os.environ.get("EDGE_EXPERTS_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen) if chosen else Path(base) / "edge-experts"


def npz(**arrays: Any) -> bytes:
    """The content of a compressed .npz file.

    Made in memory: when the disk is full, numpy's own writer leaves a second error behind that
    nobody can catch.
    """
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def _replace(folder: Path, target: Path) -> None:
    if target.exists():
        old = folder.with_suffix(".old")
        target.rename(old)
        try:
            folder.rename(target)
        except OSError:
            old.rename(target)
            raise
        shutil.rmtree(old)
    else:
        folder.rename(target)
    _fsync(target.parent)


def _flush(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            _fsync(Path(parent, name))
        _fsync(Path(parent))


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
