"""Files of a folder at any depth, in bounded time and without loops."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import DataError
from ..format.limits import LIMITS

_NOT_DATA = ("__MACOSX", "Thumbs.db", "desktop.ini")


def is_folder(text: str) -> bool:
    """Test if a text is the path of a folder; one that no file system takes is none."""
    try:
        return Path(text).is_dir()
    except OSError:  # such as a name that is too long
        return False


def files_below(folder: Path) -> Iterator[Path]:
    """Yield all files that are not hidden, those of a folder in the order of their names.

    Links are followed, but not into a folder that contains the link.

    Raises:
        DataError: there are more files than the limit, or a folder cannot be read.
    """
    count = 0
    waiting: list[tuple[Path, frozenset[tuple[int, int]]]] = [(folder, frozenset())]
    while waiting:
        here, above = waiting.pop()
        try:
            status = here.stat()
            identity = (status.st_dev, status.st_ino)
            if identity in above:  # a loop of links
                continue
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(f"{here}: cannot be read: {error.strerror}") from None
        below = []
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _NOT_DATA:
                continue
            count += 1
            if count > LIMITS.photos:
                raise DataError(f"{folder}: has more than {LIMITS.photos:,} files; name a part")
            try:
                is_below, is_file = entry.is_dir(), entry.is_file()
            except OSError:  # a link to itself
                continue
            if is_below:
                below.append((Path(entry.path), above | {identity}))
            elif is_file:
                yield Path(entry.path)
        waiting += reversed(below)
