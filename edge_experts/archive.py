"""A bundle as one file to carry: a zip archive that unpacks to the verified folder.

Zeros and repeated values, which pruning and clustering leave in a model, save bytes here only.
Archives of the same bundle are the same, byte for byte.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from .bundle import MANIFEST, FileEntry, parse_manifest, read_manifest
from .errors import BundleError, DigestError, UsageError
from .folders import staged, write_whole
from .limits import LIMITS
from .runtime.storage import check, read_checked
from .zips import DAMAGED, open_zip, read_member

_LEVEL = 9
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip archive can say


def pack(bundle: Path, out: Path) -> int:
    """Write the archive of a bundle, every file checked; returns its bytes.

    Raises:
        BundleError: the bundle is damaged.
    """
    manifest = read_manifest(bundle)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        _add(archive, MANIFEST, (bundle / MANIFEST).read_bytes())
        for entry in manifest.files:
            _add(archive, entry.path, read_checked(bundle, entry))
    write_whole(out, content.getvalue())
    return len(content.getvalue())


def packed_bytes(path: str, content: bytes) -> int:
    """What one file takes in an archive."""
    whole, empty = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        _add(archive, path, content)
    with zipfile.ZipFile(empty, "w"):
        pass
    return len(whole.getvalue()) - len(empty.getvalue())


def unpack(archive: Path, out: Path, *, force: bool = False) -> None:
    """Write the bundle of an archive; the folder appears whole, and every byte is checked.

    Only files that the manifest lists are unpacked, whatever else the archive holds.

    Raises:
        BundleError: it is no archive of a bundle, or damaged.
    """
    try:
        with (
            staged(out, force=force) as folder,
            archive.open("rb") as file,
            open_zip(file, LIMITS.archive_entries) as opened,
        ):
            raw = _read(opened, MANIFEST, LIMITS.manifest_bytes, archive)
            manifest = parse_manifest(raw, f"{archive}: {MANIFEST}")
            (folder / MANIFEST).write_bytes(raw)
            for entry in manifest.files:
                _write(opened, entry, folder, archive)
    except FileNotFoundError:
        raise UsageError(f"{archive}: no such archive") from None
    except DAMAGED as error:
        raise BundleError(
            f"{archive}: not a bundle's archive, or damaged ({error}); copy it again"
        ) from None


def _write(opened: zipfile.ZipFile, entry: FileEntry, folder: Path, archive: Path) -> None:
    content = _read(opened, entry.path, entry.bytes, archive)
    place = folder / entry.path
    check(content, entry, f"{archive}: {entry.path}", thorough=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def _read(opened: zipfile.ZipFile, path: str, most: int, archive: Path) -> bytes:
    """A file's content, however much it would unpack to."""
    try:
        member = opened.getinfo(path)
    except KeyError:
        raise DigestError(f"{archive}: has no {path}; copy it again") from None
    if member.file_size > most:
        raise DigestError(f"{archive}: {path}: is longer than {most} bytes; copy it again")
    return read_member(opened, member, most)


def _add(archive: zipfile.ZipFile, path: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(path, _EPOCH), content, zipfile.ZIP_DEFLATED, _LEVEL)
