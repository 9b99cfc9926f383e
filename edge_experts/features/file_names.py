"""Test of names that users type."""

from __future__ import annotations

from pathlib import Path


def is_file(path: Path) -> bool:
    """Test if a path is a file; one that no file system takes is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # such as a name that is too long, or has a null character
        return False
