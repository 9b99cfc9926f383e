"""Untrusted zip archives, opened in bounded memory."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import BinaryIO

from .limits import LIMITS

# Errors of zipfile for invalid bytes; NotImplementedError for other compression methods.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    KeyError,
)


def open_zip(file: BinaryIO, most_entries: int) -> zipfile.ZipFile:
    """Open a zip file after checking its central directory's size, which zipfile reads at once.

    Raises:
        one of DAMAGED.
    """
    reader = _Bounded(file)
    archive = zipfile.ZipFile(reader)
    reader.most = None
    if len(archive.filelist) > most_entries:
        raise zipfile.BadZipFile(f"more than {most_entries} entries")
    return archive


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """Read the content of a member, at most `most` bytes.

    Raises:
        ValueError: it is larger; or another of DAMAGED.
    """
    # zipfile requests as much as the directory claims, which Python allocates first.
    if member.file_size > most or member.compress_size > _packed(most):
        raise ValueError(f"{member.filename!r:.80} is larger than {most} bytes")
    with archive.open(member) as file:
        # One byte more than it claims: for larger requests zipfile inflates everything first.
        content = file.read(member.file_size + 1)
    if len(content) != member.file_size:
        raise ValueError(f"{member.filename!r:.80} has another size than it claims")
    return content


def _packed(size: int) -> int:
    """Compute the largest compressed size of a number of bytes (RFC 1951, 3.2.4)."""
    return size + size // 1000 + 1024


class _Bounded(io.RawIOBase):
    """File that refuses single reads of more than `most` bytes, while `most` is set."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.most: int | None = LIMITS.zip_directory_bytes

    def read(self, size: int | None = -1) -> bytes:
        if self.most is None:
            return self._file.read(-1 if size is None else size)
        asked = self.most + 1 if size is None or size < 0 else min(size, self.most + 1)
        content = self._file.read(asked)
        if len(content) > self.most:
            raise zipfile.BadZipFile(f"its directory is larger than {self.most} bytes")
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True
