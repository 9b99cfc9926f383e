"""Wheels of a board's environment, and the digest that identifies them."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..format.atomic import cache_folder, staged
from . import own_wheel, resolving
from .board_target import BoardTarget

_PIP = "pip>=23"  # it installs the other wheels, and is not installed itself


@dataclass(frozen=True)
class Wheels:
    """Wheels in a folder, and their identity.

    Attributes:
        entry: description of the environment, which it contains: see `on_board.build`.
        wheel_bytes, unpacked_bytes: size of the wheels, and of their unpacked files.
    """

    folder: Path
    entry: dict[str, Any]
    wheel_bytes: int
    unpacked_bytes: int


class Store:
    """Wheels for any number of boards: fetched once for boards of one kind. Thread-safe.

    Args:
        folder: an empty folder to work in.
        given: a folder of wheels from the user, used instead of pip's index.

    Raises:
        UsageError: the folder does not exist.
    """

    def __init__(self, folder: Path, given: Path | None = None):
        if given is not None and not given.is_dir():
            raise UsageError(f"--wheels {given}: no such folder")
        self._folder, self._given = folder, given
        self._required = own_wheel.requirements()
        self._own = own_wheel.write(folder)
        self._lock = threading.Lock()

    def wheels(
        self, target: BoardTarget, extras: Iterable[str], python: str, *, numpy: str | None = None
    ) -> Wheels:
        """Wheels of the device part and the extras for a target.

        Args:
            python: path of the board's Python, which the environment links to.
            numpy: version of the board's numpy, if that is to be used.

        Raises:
            NetworkError: there are no wheels, or there is no network.
        """
        extras = sorted(extras)
        required = [_PIP, *resolving.selected(self._required, extras, target)]
        there = () if numpy is None else ("numpy",)
        with self._lock:
            folder = self._folder / _key(required, target, there)
            if not folder.is_dir():
                fetched = self._fetched(required, target, there)
                shutil.copytree(fetched, folder)
                shutil.copy(self._own, folder)
        return _described(folder, target, extras, python, numpy)

    def _fetched(self, required: list[str], target: BoardTarget, there: tuple[str, ...]) -> Path:
        if self._given is not None:
            folder = Path(tempfile.mkdtemp(dir=self._folder))
            resolving.fetch(folder, required, target, there=there, wheels=self._given)
            return folder
        cache = cache_folder() / "wheels"
        folder = cache / _key(required, target, there)
        if not folder.is_dir():
            cache.mkdir(parents=True, exist_ok=True)
            with staged(folder, force=True) as partial:  # another deploy may have made it
                resolving.fetch(partial, required, target, there=there)
        return folder


def _key(required: list[str], target: BoardTarget, there: tuple[str, ...]) -> str:
    """Folder name for the same requirements on the same kind of board."""
    return hashlib.sha256(json.dumps([required, str(target), there]).encode()).hexdigest()[:16]


def _described(
    folder: Path, target: BoardTarget, extras: list[str], python: str, numpy: str | None
) -> Wheels:
    paths = sorted(folder.glob("*.whl"))
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    pip = next(name for name in sums if name.startswith("pip-"))
    made_by: dict[str, Any] = {
        "sha256": sums,
        "python": python,
        "numpy": numpy,
        "target": str(target),
        "extras": extras,
    }
    digest = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()
    unpacked = 0
    for path in paths:
        if path.name != pip:
            with zipfile.ZipFile(path) as archive:
                unpacked += sum(entry.file_size for entry in archive.infolist())
    return Wheels(
        folder=folder,
        entry={
            **made_by,
            "digest": digest,
            "pip": pip,
            "wheels": [name for name in sums if name != pip],
        },
        wheel_bytes=sum(path.stat().st_size for path in paths),
        unpacked_bytes=unpacked,
    )
