"""Zip archives that anyone may have made, opened in bounded memory."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import BinaryIO

from .limits import LIMITS

# What zipfile raises on bytes that anyone may have made; NotImplementedError for other methods.
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
    """The archive, once its directory is known to be small: zipfile reads all of it at once.

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
    """A member's content, of which `most` bytes are allowed.

    Raises:
        ValueError: it is larger; or another of DAMAGED.
    """
    # zipfile asks the file for as much as the directory claims, and Python allocates that first.
    if member.file_size > most or member.compress_size > _packed(most):
        raise ValueError(f"{member.filename!r:.80} is larger than {most} bytes")
    with archive.open(member) as file:
        # No more than it claims, and one: asked for more, zipfile inflates it all before it looks.
        content = file.read(member.file_size + 1)
    if len(content) != member.file_size:
        raise ValueError(f"{member.filename!r:.80} has another size than it claims")
    return content


def _packed(size: int) -> int:
    """The most that so many bytes take when they cannot be compressed (RFC 1951, 3.2.4)."""
    return size + size // 1000 + 1024


class _Bounded(io.RawIOBase):
    """A file that refuses to hand out more at once than `most`, while there is a `most`."""

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
