"""Checks that a picture can be drawn, made before hours of work."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from .errors import MissingExtraError, UsageError

SUFFIXES = (".png", ".svg")


def require(path: Path | None = None, option: str = "--picture") -> None:
    """Check that matplotlib is installed and that the picture can be written to `path`.

    Raises:
        MissingExtraError: matplotlib is not installed.
        UsageError: the file type is not supported, or the folder does not exist.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", "train")
    if path is not None and path.suffix not in SUFFIXES:
        raise UsageError(f"{option} {path}: must end with {' or '.join(SUFFIXES)}")
    if path is not None and not path.absolute().parent.is_dir():
        raise UsageError(f"{option} {path}: the folder {path.parent} does not exist")
