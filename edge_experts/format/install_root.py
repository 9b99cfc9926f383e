"""Where `current` leads to."""

from __future__ import annotations

from pathlib import Path

from .manifest import MANIFEST

CURRENT = "current"


def is_root(path: Path) -> bool:
    """Whether bundles are installed in this folder, rather than it being one."""
    return (path / CURRENT).is_symlink() and not (path / MANIFEST).exists()


def resolve(path: Path) -> Path:
    """The bundle's folder: that which is current, if `path` is an install root, else `path`."""
    return path / (path / CURRENT).readlink() if is_root(path) else path
