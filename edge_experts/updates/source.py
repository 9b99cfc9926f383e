"""Sources of an install: a bundle's folder, an archive of one, or an update to one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import ManifestError
from ..format.archive import Archive
from ..format.checked_files import read_checked, read_signature
from ..format.install_root import resolve
from ..format.manifest import LIMITS, MANIFEST, FileEntry
from ..format.manifest_parser import parse_manifest


class Folder:
    """A bundle's folder, or an update, which lacks files that another bundle has."""

    def __init__(self, folder: Path):
        self._folder = folder

    @property
    def where(self) -> str:
        """Name of the manifest in errors."""
        return str(self._folder / MANIFEST)

    def manifest(self) -> bytes:
        """Read the manifest's bytes, unchecked; at most one byte more than its limit.

        Raises:
            ManifestError: there is no manifest.
        """
        try:
            with (self._folder / MANIFEST).open("rb") as file:
                return file.read(LIMITS.manifest_bytes + 1)
        except (FileNotFoundError, IsADirectoryError):
            raise ManifestError(f"{self._folder}: not a bundle, it has no {MANIFEST}") from None

    def signature(self) -> bytes | None:
        """Read the manifest's signature, unchecked; None if there is none."""
        return read_signature(self._folder)

    def has(self, entry: FileEntry) -> bool:
        """True if the folder has a file of that name."""
        return (self._folder / entry.path).exists()

    def read(self, entry: FileEntry) -> bytes:
        """Read the bytes of a file, checked.

        Raises:
            DigestError: it differs from what the manifest pins.
        """
        return read_checked(self._folder, entry)


Source = Folder | Archive


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open the bundle at `path`, which may be a folder, an install root or an archive.

    Raises:
        UsageError: `path` does not exist.
        BundleError: an archive is damaged; also raised from the block.
    """
    if path.is_dir():
        yield Folder(resolve(path))
    else:
        with Archive.opened(path) as archive:
            yield archive


def digests(base: Path) -> frozenset[str]:
    """SHA-256 of all files of a bundle; reads its manifest.json only.

    Raises:
        BundleError: the manifest is damaged.
    """
    if base.suffix == ".json" and base.is_file():
        manifest = parse_manifest(base.read_bytes(), str(base))
    else:
        with opened(base) as source:
            manifest = parse_manifest(source.manifest(), source.where)
    return frozenset(entry.sha256 for entry in manifest.files)
