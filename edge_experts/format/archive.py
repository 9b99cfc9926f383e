"""Archive of a bundle: one zip file that unpacks to the verified folder.

Zeros and repeated values, which pruning and clustering leave in a model, save bytes only here.
Archives of the same bundle are identical byte for byte. An archive may be an update, which omits
files of another bundle; only `edge-experts install` can use it.
"""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Iterator, Set
from pathlib import Path

from ..errors import BundleError, DigestError, UsageError
from . import disk
from .atomic import staged, write_whole
from .checked_files import check, read_checked, read_signature
from .manifest import LIMITS, MANIFEST, SIGNATURE, FileEntry
from .manifest_parser import parse_manifest, read_manifest
from .zips import DAMAGED, open_zip, read_member

_LEVEL = 9
_EPOCH = (1980, 1, 1, 0, 0, 0)  # earliest date of a zip archive


def pack(bundle: Path, out: Path, *, without: Set[str] = frozenset()) -> int:
    """Write the archive of a bundle after checking every file; return its size in bytes.

    Args:
        without: SHA-256 of files to omit, because the recipients already have them.

    Raises:
        BundleError: the bundle is damaged.
    """
    manifest = read_manifest(bundle)
    signature = read_signature(bundle)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        _add(archive, MANIFEST, (bundle / MANIFEST).read_bytes())
        if signature is not None:
            _add(archive, SIGNATURE, signature)
        for entry in manifest.files:
            if entry.sha256 not in without:
                _add(archive, entry.path, read_checked(bundle, entry))
    write_whole(out, content.getvalue())
    return len(content.getvalue())


def packed_bytes(path: str, content: bytes) -> int:
    """Compute the bytes that one file takes in an archive."""
    whole, empty = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        _add(archive, path, content)
    with zipfile.ZipFile(empty, "w"):
        pass
    return len(whole.getvalue()) - len(empty.getvalue())


def unpack(archive: Path, out: Path, *, force: bool = False) -> None:
    """Unpack the bundle of an archive; the folder appears complete, and every byte is checked.

    Only files that the manifest lists are unpacked; other entries of the archive are ignored.

    Raises:
        BundleError: it is not an archive of a bundle, or is damaged.
    """
    with staged(out, force=force) as folder, Archive.opened(archive) as source:
        raw = source.manifest()
        manifest = parse_manifest(raw, source.where)
        disk.write(folder / MANIFEST, raw)
        signature = source.signature()
        if signature is not None:
            disk.write(folder / SIGNATURE, signature)
        for entry in manifest.files:
            if not source.has(entry):
                raise DigestError(
                    f"{archive}: has no {entry.path}; copy it again, or, if it is an update that "
                    "leaves files out, `edge-experts install` it where the rest is installed"
                )
            place = folder / entry.path
            place.parent.mkdir(parents=True, exist_ok=True)
            disk.write(place, source.read(entry))


class Archive:
    """Bundle in an archive, read file by file."""

    def __init__(self, path: Path, content: zipfile.ZipFile):
        self._path, self._content = path, content
        self._names = frozenset(content.namelist())

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: Path) -> Iterator[Archive]:
        """Open an archive for the duration of the block.

        Raises:
            BundleError: it is not an archive, or is damaged; so do all other methods.
        """
        with contextlib.ExitStack() as stack:
            with _told(path):
                file = stack.enter_context(path.open("rb"))
                content = stack.enter_context(open_zip(file, LIMITS.archive_entries))
            yield cls(path, content)

    @property
    def where(self) -> str:
        """Name of the manifest in errors."""
        return f"{self._path}: {MANIFEST}"

    def manifest(self) -> bytes:
        """Return the manifest's bytes, unchecked.

        Raises:
            DigestError: it is missing or too long.
        """
        if MANIFEST not in self._names:
            raise DigestError(
                f"{self._path}: has no {MANIFEST} at its top; only archives of `edge-experts pack` "
                "are read: pack the bundle's folder with it"
            )
        return self._read(MANIFEST, LIMITS.manifest_bytes)

    def signature(self) -> bytes | None:
        """Return the manifest's signature, unchecked; None without one."""
        return self._read(SIGNATURE, LIMITS.signature_bytes) if SIGNATURE in self._names else None

    def has(self, entry: FileEntry) -> bool:
        """Test if the archive contains the file."""
        return entry.path in self._names

    def read(self, entry: FileEntry) -> bytes:
        """Read and check the bytes of a file.

        Raises:
            DigestError: the file differs from its digest in the manifest.
        """
        content = self._read(entry.path, entry.bytes)
        check(content, entry, f"{self._path}: {entry.path}")
        return content

    def _read(self, path: str, most: int) -> bytes:
        """Read at most `most` bytes, whatever the unpacked size."""
        member = self._content.getinfo(path)
        if member.file_size > most:
            raise DigestError(f"{self._path}: {path}: is longer than {most} bytes; copy it again")
        with _told(self._path):
            return read_member(self._content, member, most)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Convert errors of zipfile to errors that tell the user what to do."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError):
        raise UsageError(f"{path}: no such archive") from None
    except DAMAGED as error:
        raise BundleError(
            f"{path}: not a bundle's archive, or damaged ({error}); copy it again, or make one of "
            "the bundle's folder: edge-experts pack"
        ) from None


def _add(archive: zipfile.ZipFile, path: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(path, _EPOCH), content, zipfile.ZIP_DEFLATED, _LEVEL)
