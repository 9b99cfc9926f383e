"""Cache of converted files by their inputs: unchanged experts are not converted again.

A key is a digest of all that a file depends on: the network's weights, the recipe, the calibration
set, the versions of the converter and this package's own code. An entry contains a digest of its
content, so that a damaged one is made again instead of being shipped.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import shutil
import time
import zipfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from edge_experts import version
from edge_experts.format.atomic import cache_folder, write_whole

_DIGEST = 32  # bytes of SHA-256, in front of the content
_ROOM = 1_000_000_000  # bytes that entries may take; the least recently used is removed first
_UNFINISHED = ".unfinished"
_FORGOTTEN = 30 * 86400  # seconds after which an unfinished entry is removed
_PACKAGES = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "numpy")


class Cache:
    """Entries in the user's cache folder; without a folder it stores nothing."""

    def __init__(self, folder: Path | None):
        self._folder = folder

    @classmethod
    def of_user(cls) -> Cache:
        """Open `$EDGE_EXPERTS_CACHE/converted`, else the one in the user's cache folder."""
        return cls(cache_folder() / "converted")

    def get(self, key: str) -> bytes | None:
        """Return the entry's content; None if it is missing or damaged."""
        if self._folder is None:
            return None
        path = self._folder / key
        try:
            raw = path.read_bytes()
            path.touch()  # marks it as used
        except OSError:
            return None
        digest, content = raw[:_DIGEST], raw[_DIGEST:]
        return content if hashlib.sha256(content).digest() == digest else None

    def put(self, key: str, content: bytes) -> None:
        """Store an entry; errors of writing are ignored, they only cost time."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._folder / key, hashlib.sha256(content).digest() + content)
        except OSError:
            pass

    def unfinished(self, key: str) -> Path | None:
        """Return a folder for intermediate state, which is removed once the entry is stored."""
        return None if self._folder is None else self._folder / f"{key}{_UNFINISHED}"

    def trim(self, room: int = _ROOM) -> None:
        """Remove the least recently used entries, until the rest takes at most `room` bytes."""
        if self._folder is None or not self._folder.is_dir():
            return
        found = []
        for path in self._folder.iterdir():
            try:
                status = path.stat()
            except OSError:  # another conversion has removed it
                continue
            if path.name.endswith(_UNFINISHED):
                if time.time() - status.st_mtime > _FORGOTTEN:
                    shutil.rmtree(path, ignore_errors=True)
                continue
            found.append((status.st_mtime_ns, status.st_size, path))
        taken = sum(size for _, size, _ in found)
        for _, size, path in sorted(found, key=lambda one: one[0]):
            if taken <= room:
                break
            path.unlink(missing_ok=True)
            taken -= size


def packed(folder: Path, names: Iterable[str]) -> bytes:
    """Pack files of a folder into one content to store."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.write(folder / name, name)
    return content.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """Write packed files to their original places in a folder."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)


def key(*parts: Any) -> str:
    """Compute a key for files made from these parts, by this code, with these versions."""
    text = json.dumps([_made_with(), *parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _made_with() -> dict[str, str]:
    code = hashlib.sha256()
    here = Path(__file__).parents[1]
    # The networks' own layers affect converted files as much as the converters do.
    training = Path(version.__file__).parent / "training"
    code_of = (training, training / "compression", training / "translation")
    for path in sorted([*here.rglob("*.py"), *(one for of in code_of for one in of.glob("*.py"))]):
        code.update(path.read_bytes())
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "none"
    return {**versions, "code": code.hexdigest()}
