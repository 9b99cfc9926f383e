"""Checked reads of a bundle's files.

A damaged model file crashes the interpreter's process or, worse, gives wrong answers, and
`try/except` cannot catch either. So a file is read once, its length and checksum are compared with
the manifest, and the interpreter gets the same bytes that were checked.
"""

from __future__ import annotations

import hashlib
import os
from io import FileIO
from pathlib import Path

import numpy as np

from ..errors import BundleError, DigestError
from .bounded_read import open_regular, read_at_most
from .limits import LIMITS
from .manifest import SIGNATURE, FileEntry, Manifest, crc32, sha256
from .npz import plain_arrays
from .strict_json import AGAIN
from .trained_rows import TrainedRows

_PART = 2**20  # bytes of a large file in memory while it is checked


def read_checked(folder: Path, entry: FileEntry, *, thorough: bool = True) -> bytes:
    """Read and check one file of the bundle in `folder`.

    Args:
        thorough: compare SHA-256; otherwise CRC-32, which detects accidental damage equally well at
            a third of the cost, for loads during answers.

    Raises:
        DigestError: the file is missing or differs from its digest in the manifest.
    """
    # Texts instead of Paths, which take longer than reading a small expert.
    path = f"{folder}/{entry.path}"
    _refuse_leading_out(path, folder, entry)
    content = read_at_most(path, entry.bytes)
    if content is None:
        raise DigestError(f"{path}: missing; {AGAIN}")
    check(content, entry, path, thorough=thorough)
    return content


def open_checked(folder: Path, entry: FileEntry) -> FileIO:
    """Check one file of the bundle and leave it open, for a reader of small parts of a large file.

    Raises:
        DigestError: as `read_checked`.
    """
    path = f"{folder}/{entry.path}"
    _refuse_leading_out(path, folder, entry)
    file = open_regular(path)
    if file is None:
        raise DigestError(f"{path}: missing; {AGAIN}")
    found, length = hashlib.sha256(), 0
    while part := file.read(_PART):
        length += len(part)
        if length > entry.bytes:
            break
        found.update(part)
    if length != entry.bytes or found.hexdigest() != entry.sha256:
        file.close()
        raise DigestError(f"{path}: damaged (its checksum differs from the manifest's); {AGAIN}")
    return file


def _refuse_leading_out(path: str, folder: Path, entry: FileEntry) -> None:
    if _has_link(path, len(entry.path)) and not _is_inside(path, folder):
        raise DigestError(f"{path}: leads out of the bundle")


def _has_link(path: str, inside: int) -> bool:
    """Test if the file, or a folder in the last `inside` characters of its path, is a link.

    A link could lead out of the bundle although the path does not.
    """
    end = len(path)
    while end > len(path) - inside:
        if os.path.islink(path[:end]):  # noqa: PTH114
            return True
        end = path.rfind("/", 0, end)
    return False


def _is_inside(path: str, folder: Path) -> bool:
    try:
        return Path(path).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a cycle of links; the class depends on the Python version
        return False


def read_signature(folder: Path) -> bytes | None:
    """Read the manifest's signature, unchecked; None without one."""
    return read_at_most(folder / SIGNATURE, LIMITS.signature_bytes)


def check(content: bytes, entry: FileEntry, where: str, *, thorough: bool = True) -> None:
    """Raise DigestError with `where` unless the content matches the manifest's entry."""
    if len(content) != entry.bytes:
        found = "longer" if len(content) > entry.bytes else f"{len(content)} bytes long"
        raise DigestError(f"{where}: is {found}, must have {entry.bytes} bytes; {AGAIN}")
    same = sha256(content) == entry.sha256 if thorough else crc32(content) == entry.crc32
    if not same:
        raise DigestError(f"{where}: damaged (its checksum differs from the manifest's); {AGAIN}")


def read_trained_rows(folder: Path, manifest: Manifest) -> TrainedRows | None:
    """Read the hashes of the rows that a bundle was trained on; None if it has none.

    Raises:
        DigestError: a file differs from its digest in the manifest.
        BundleError: a file has other contents.
    """
    if not manifest.trained_rows:
        return None
    parts = []
    for entry in manifest.trained_rows:
        if entry.bytes > LIMITS.array_file_bytes:
            raise BundleError(
                f"{folder / entry.path}: larger than {LIMITS.array_file_bytes:,} bytes"
            )
        try:
            parts.append(TrainedRows.from_bytes(read_checked(folder, entry)))
        except ValueError as error:
            raise BundleError(f"{folder / entry.path}: not hashes of rows: {error}") from None
    return TrainedRows.union(parts)


def read_arrays(folder: Path, entry: FileEntry) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file of the bundle; pickled objects are refused.

    Raises:
        DigestError: the file differs from its digest in the manifest.
        BundleError: it contains anything but arrays of numbers, or too many of them.
    """
    path = folder / entry.path
    if entry.bytes > LIMITS.array_file_bytes:
        raise BundleError(f"{path}: larger than {LIMITS.array_file_bytes:,} bytes")
    try:
        return plain_arrays(read_checked(folder, entry))
    except ValueError as error:
        raise BundleError(f"{path}: not an .npz of plain arrays: {error}") from None
