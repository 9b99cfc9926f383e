"""Folders of files that are one example each: which kind a folder has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import photos, sounds
from .label_folders.label_folder import most_frequent

_MODULES: dict[Any, Any] = {module.MEDIUM: module for module in (photos, sounds)}


def of_folder(path: Path) -> Any | None:
    """The module `photos` or `sounds`, whose files the folder has most of; None without any."""
    medium = most_frequent(path, list(_MODULES))
    return None if medium is None else _MODULES[medium]
