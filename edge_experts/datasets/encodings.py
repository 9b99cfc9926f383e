"""Encodings of text files: UTF-8, or that of a byte order mark; others are rejected.

The bytes decide, never the locale: a file has the same meaning on every machine. Encodings are not
guessed, because a wrong guess changes letters without an error.
"""

from __future__ import annotations

import codecs
import io
import shlex
from pathlib import Path
from typing import BinaryIO, TextIO

from ..errors import DataError

# Marks of UTF-32 come first, since one begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY = (  # first bytes of files that are not text
    (b"PK\x03\x04", "a zip file or a workbook (.xlsx, .ods); export the sheet as CSV in UTF-8"),
    (b"\xd0\xcf\x11\xe0", "a workbook of Excel (.xls); export the sheet as CSV in UTF-8"),
    (b"\x1f\x8b", "compressed by gzip; unpack it with gunzip"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it with unzstd"),
    (b"BZh", "compressed by bzip2; unpack it with bunzip2"),
    (b"\xfd7zXZ\x00", "compressed by xz; unpack it with unxz"),
    (b"PAR1", "a Parquet file; export it as CSV in UTF-8"),
    (b"\x93NUMPY", "an array of numpy; name it .npy"),
    (b"SQLite format 3\x00", "a database of SQLite; export a table as CSV in UTF-8"),
)
_HEAD = 4096  # bytes to detect the encoding from
_CHUNK = 2**20
# Bytes from 0x80 that are letters or punctuation in cp1252; others are its controls and gaps.
_PLAIN_CP1252 = frozenset(
    byte for byte in range(0x80, 0x100) if bytes([byte]).decode("cp1252", "replace") != "\ufffd"
)


def open_text(path: Path, *, newline: str | None = None) -> TextIO:
    """Open a text file for reading, after checking all of it.

    Args:
        newline: as for `open`; "" for the module csv.

    Raises:
        DataError: the encoding is not supported; the message has the line and the remedy.
        OSError: the file cannot be read.
    """
    file = path.open("rb")  # opened once, so that the checked file is the one that is read
    try:
        encoding = encoding_of(file.read(_HEAD), str(path))
        file.seek(0)
        _check(file, encoding, path)
        file.seek(0)
        return io.TextIOWrapper(file, encoding=encoding, newline=newline)
    except BaseException:
        file.close()
        raise


def read_text(path: Path) -> str:
    """Read the whole text of a small file, without a byte order mark.

    Raises:
        DataError: as `open_text`.
    """
    with open_text(path) as file:
        return file.read()


def encoding_of(head: bytes, name: str) -> str:
    """Detect an encoding from the first bytes: "utf-8", "utf-8-sig", "utf-16" or "utf-32".

    Args:
        head: the first bytes, some thousand if there are as many.
        name: of the file or stream, for errors.

    Raises:
        DataError: UTF-16 or UTF-32 without a byte order mark, or not a text.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    for magic, meaning in _BINARY:
        if head.startswith(magic):
            raise DataError(f"{name}: not a text file but {meaning}")
    wide = _wide(head)
    if wide is not None:
        raise DataError(
            f"{name}: looks like {wide.upper()} without a byte order mark, which is not guessed; "
            f"convert it: {_iconv(wide, name)}"
        )
    return "utf-8"


def decode_line(raw: bytes, name: str, line: int) -> str:
    """Decode one line of a stream in UTF-8, without a byte order mark in the first line.

    Raises:
        DataError: it is not UTF-8; the message has the line and the remedy.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        begun = error.object[: error.start].decode("utf-8")
        raise _refused(raw, error, name, line, others=not begun.isascii()) from None
    return text.removeprefix("\ufeff") if line == 1 else text


def _check(file: BinaryIO, encoding: str, path: Path) -> None:
    """Raise DataError unless the whole file is in its encoding. Memory is bounded."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line, ascii_only, ended = 1, True, False
    while not ended:
        chunk = file.read(_CHUNK)
        ended = not chunk
        try:
            text = decoder.decode(chunk, final=ended)
        except UnicodeDecodeError as error:
            if encoding in ("utf-16", "utf-32"):
                raise DataError(
                    f"{path}: damaged {encoding.upper()} ({error.reason}); save it as UTF-8"
                ) from None
            begun = error.object[: error.start].decode("utf-8")
            line += _line_ends(begun)
            others = not (ascii_only and begun.isascii())
            raise _refused(chunk, error, str(path), line, others=others) from None
        line += _line_ends(text)
        ascii_only = ascii_only and text.isascii()


def _line_ends(text: str) -> int:
    """Count line ends: those of Unix and Windows, or of old Macs if there are no others."""
    return text.count("\n") or text.count("\r")


def _refused(
    raw: bytes, error: UnicodeDecodeError, name: str, line: int, *, others: bool
) -> DataError:
    """Error for bytes that are not UTF-8, with the likeliest remedy.

    Args:
        raw: the bytes around the error.
        line: number of the line with the error.
        others: True if there are valid characters beyond ASCII before it.
    """
    found = f"{name}: line {line}: not UTF-8 (byte 0x{error.object[error.start]:02x})"
    if error.reason == "unexpected end of data" and others:
        return DataError(f"{found}: the text ends within a character; copy the whole file again")
    if {byte for byte in raw + error.object if byte >= 0x80} <= _PLAIN_CP1252:
        return DataError(
            f"{found}; save it as UTF-8. If it is from Windows in a Western European language: "
            f"{_iconv('cp1252', name)}"
        )
    return DataError(
        f"{found}; save it as UTF-8, or convert it from its encoding (iconv -l lists them): "
        f"{_iconv('ENCODING', name)}"
    )


def _iconv(encoding: str, name: str) -> str:
    target = f"utf8{Path(name).suffix}"
    return f"iconv -f {encoding} -t utf-8 {shlex.quote(name)} > {target}"


def _wide(head: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, if the bytes are text in it; None for neither."""
    if b"\0" not in head:
        return None
    for encoding in ("utf-32le", "utf-32be", "utf-16le", "utf-16be"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(head)
        except UnicodeDecodeError:
            continue
        # In the wrong byte order, line ends, digits and separators become unassigned characters.
        if text and all(one.isprintable() or one.isspace() for one in text):
            return encoding
    return None
