"""Install roots: folders whose `current` link leads to the active bundle."""

from __future__ import annotations

from pathlib import Path

from .manifest import MANIFEST

CURRENT = "current"


def is_root(path: Path) -> bool:
    """Test if the folder is an install root, and not a bundle itself."""
    return (path / CURRENT).is_symlink() and not (path / MANIFEST).exists()


def resolve(path: Path) -> Path:
    """Return the bundle's folder: the current one if `path` is an install root, else `path`."""
    return path / (path / CURRENT).readlink() if is_root(path) else path
