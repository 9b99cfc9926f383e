"""Sound files of type WAV, and raw samples, to blocks of samples of 16 bits in one channel.

PCM of 8, 16, 24 and 32 bits and float of 32 and 64 bits, in any number of channels, of which the
mean is used. Samples become 16 bits by rounding, so that every machine reads the same ones. The
sizes that a header states are not trusted: a file may be cut off, and a stream has no size.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import UsageError
from ..format.limits import LIMITS

SUFFIXES = (".wav", ".wave")
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_CODECS = {2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 49: "GSM", 85: "MP3"}
_TYPES = {(_PCM, 8): "u1", (_PCM, 16): "<i2", (_PCM, 32): "<i4", (_FLOAT, 32): "<f4"}
_TYPES |= {(_FLOAT, 64): "<f8"}
_BITS = "PCM of 8, 16, 24 or 32 bits, or float of 32 or 64 bits"
_FORMAT_BYTES = (16, 1024)  # of a fmt chunk
_SKIPPED = 2**26  # bytes of other chunks before the samples
_BLOCK = 2**14  # samples of each channel that are read at once
_LOW, _HIGH = -(2**15), 2**15 - 1
_OTHERS = {b"OggS": "Ogg", b"fLaC": "FLAC", b"ID3": "MP3", b"FORM": "AIFF"}
_OTHERS |= {b"RF64": "RF64", b"RIFX": "big-endian RIFF", b".snd": "AU"}


@dataclass(frozen=True)
class WavFormat:
    """Format of the samples.

    Attributes:
        kind: 1 for PCM, 3 for float.
        rate: samples a second.
    """

    kind: int
    channels: int
    rate: int
    bits: int

    @property
    def frame(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * self.bits // 8

    def samples(self, content: bytes, name: str) -> np.ndarray:
        """Convert whole frames to the mean of their channels, (frames,) int16.

        Raises:
            UsageError: a sample is NaN or infinite.
        """
        if self.bits == 24:
            parts = np.frombuffer(content, "u1").reshape(-1, 3).astype(np.int32)
            wide = (parts[:, 0] << 8) | (parts[:, 1] << 16) | (parts[:, 2] << 24)
        else:
            wide = np.frombuffer(content, _TYPES[self.kind, self.bits])
        return _mixed(_sixteen_bits(wide, name).reshape(-1, self.channels))


def is_sound_name(name: str) -> bool:
    """Test if the name ends as those of sound files do."""
    return name.lower().endswith(SUFFIXES)


def kind_of_head(head: bytes) -> str:
    """Kind of a sound file by its first 12 bytes, such as "WAV"; "" if they are of none."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "WAV"
    return next((word for start, word in _OTHERS.items() if head.startswith(start)), "")


def raw_blocks(stream: BinaryIO, head: bytes, most: int) -> Iterator[np.ndarray]:
    """Yield raw samples of 16 bits, little-endian, (n,) int16; half a sample at the end is lost.

    Args:
        head: bytes that were read from the stream before, fewer than `2 * most`.
        most: samples of a block; the last one may have less.
    """
    while len(content := head + stream.read(2 * most - len(head))) > 1:
        head = b""
        yield np.frombuffer(content, "<i2", len(content) // 2).astype(np.int16)


class WavReader:
    """Reads a WAV file from a stream, in bounded memory.

    Attributes:
        format: of its samples.
        size: bytes of its samples as stated; None: up to the end of the stream.

    Args:
        stream: is read forward only, from the start of the file.
        name: for errors.
        head: bytes of the file that were read from the stream before.

    Raises:
        UsageError: it is no such file.
    """

    def __init__(self, stream: BinaryIO, name: str, head: bytes = b""):
        self._stream, self._name, self._head = stream, name, head
        self.format, self.size = self._header()

    def blocks(self, most: int = _BLOCK) -> Iterator[np.ndarray]:
        """Yield the samples, (n,) int16, up to the stated size or the end of the stream.

        Args:
            most: samples of a block; the last one may have less.

        Raises:
            UsageError: a sample is not finite, or the file cannot be read.
        """
        left = self.size
        while left is None or left > 0:
            wanted = most * self.format.frame
            content = self._read(wanted if left is None else min(wanted, left))
            whole = len(content) // self.format.frame * self.format.frame
            if whole:
                yield self.format.samples(content[:whole], self._name)
            if len(content) < wanted:  # the rest of a frame is lost
                return
            left = None if left is None else left - len(content)

    def _header(self) -> tuple[WavFormat, int | None]:
        """Read up to the samples; returns their format and bytes, None for a stream."""
        head = self._read(12)
        if not head:
            raise UsageError(f"{self._name}: is empty")
        kind = kind_of_head(head)
        if kind != "WAV":
            found = f"; it is {kind}: convert it, as by ffmpeg -i" if kind else ""
            raise UsageError(f"{self._name}: not a WAV file{found}")
        found_format, skipped = None, 0
        while True:
            chunk = self._read(8)
            if len(chunk) < 8:
                raise UsageError(f"{self._name}: a WAV file without samples")
            name, size = chunk[:4], struct.unpack("<I", chunk[4:])[0]
            if name == b"data":
                if found_format is None:
                    raise UsageError(f"{self._name}: a WAV file without a format (chunk fmt)")
                return found_format, _size_of(size)
            if name == b"fmt ":
                found_format = self._format(size)
                continue
            skipped += size
            if skipped > _SKIPPED:
                raise UsageError(
                    f"{self._name}: more than {_SKIPPED:,} bytes before the samples; its header "
                    "is damaged"
                )
            self._skip(size + size % 2)

    def _format(self, size: int) -> WavFormat:
        low, high = _FORMAT_BYTES
        content = self._read(size + size % 2) if low <= size <= high else b""
        if len(content) < low:
            raise UsageError(f"{self._name}: the format (chunk fmt) of the WAV file is damaged")
        kind, channels, rate, _, frame, bits = struct.unpack_from("<HHIIHH", content)
        if kind == _EXTENSIBLE and len(content) >= 40:
            kind = struct.unpack_from("<H", content, 24)[0]
        if (kind, bits) not in _TYPES and (kind, bits) != (_PCM, 24):
            word = _CODECS.get(kind, f"{bits} bits of format {kind}")
            raise UsageError(f"{self._name}: a WAV file of {word}; convert it to {_BITS}")
        if not 1 <= channels <= LIMITS.sound_channels:
            raise UsageError(
                f"{self._name}: has {channels} channels; 1 to {LIMITS.sound_channels} are read"
            )
        if not 1000 <= rate <= LIMITS.sound_rate:
            raise UsageError(
                f"{self._name}: has {rate:,} samples a second; 1,000 to {LIMITS.sound_rate:,} are "
                "read"
            )
        found = WavFormat(kind, channels, rate, bits)
        if frame != found.frame:
            raise UsageError(
                f"{self._name}: {channels} channels of {bits} bits have {found.frame} bytes, and "
                f"the header states {frame}; it is damaged"
            )
        return found

    def _skip(self, size: int) -> None:
        while size > 0:
            content = self._read(min(size, 2**16))
            if not content:
                return
            size -= len(content)

    def _read(self, size: int) -> bytes:
        """Read `size` bytes, or less at the end of the stream."""
        begun, self._head = self._head[:size], self._head[size:]
        try:
            return begun + self._stream.read(size - len(begun))
        except OSError as error:
            raise UsageError(f"{self._name}: cannot be read: {error.strerror}") from None


def _size_of(stated: int) -> int | None:
    """Bytes of samples; None if the size says that it is not known, as in a stream."""
    return stated if 0 < stated < 2**31 - 2**16 else None


def _sixteen_bits(wide: np.ndarray, name: str) -> np.ndarray:
    """Round to whole numbers of 16 bits, int32."""
    if wide.dtype.kind == "f":
        if not np.isfinite(wide).all():
            raise UsageError(f"{name}: has samples that are NaN or infinite; repair it")
        scaled = np.rint(np.clip(wide.astype(np.float64), -2, 2) * 2**15)
        clipped: np.ndarray = np.clip(scaled, _LOW, _HIGH).astype(np.int32)
        return clipped
    if wide.dtype == np.uint8:
        return (wide.astype(np.int32) - 128) << 8
    if wide.dtype == np.int32:
        return np.minimum((wide.astype(np.int64) + 2**15) >> 16, _HIGH).astype(np.int32)
    return wide.astype(np.int32)


def _mixed(frames: np.ndarray) -> np.ndarray:
    """Mean over the channels, rounded half up, (frames,) int16."""
    count = frames.shape[1]
    if count == 1:
        return frames[:, 0].astype(np.int16)
    mean: np.ndarray = (2 * frames.sum(axis=1) + count) // (2 * count)
    return mean.astype(np.int16)


@dataclass(frozen=True)
class SoundHeader:
    """Rate and length of a sound file."""

    rate: int
    samples: int

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


def read_header(path: Path) -> SoundHeader:
    """Read the rate and the length of a sound file, without its samples.

    Raises:
        UsageError: the file does not exist, is no WAV file, or has no samples.
    """
    with opened(path) as stream:
        reader = WavReader(stream, str(path))
        begin = stream.tell()
        there = stream.seek(0, io.SEEK_END) - begin
    bytes_of_samples = there if reader.size is None else min(there, reader.size)
    samples = bytes_of_samples // reader.format.frame
    if not samples:
        raise UsageError(f"{path}: has no samples")
    return SoundHeader(reader.format.rate, samples)


def read_wav(path: Path) -> tuple[np.ndarray, int]:
    """Read a sound that is one example; see `decode_wav`.

    Raises:
        UsageError: it does not exist, is no WAV file, or too long; names it.
    """
    with opened(path) as stream:
        return _whole(WavReader(stream, str(path)), str(path))


def decode_wav(content: bytes, name: str) -> tuple[np.ndarray, int]:
    """Decode the bytes of a WAV file.

    Returns:
        (samples,) int16, and the rate.

    Raises:
        UsageError: it is no WAV file, has no samples, or more than the limit.
    """
    return _whole(WavReader(io.BytesIO(content), name), name)


def opened(path: Path) -> BinaryIO:
    """Open a file.

    Raises:
        UsageError: it does not exist, or cannot be read.
    """
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UsageError(f"{path!s:.300}: no such file") from None
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise UsageError(f"{path!s:.300}: cannot be read: {said}") from None


def _whole(reader: WavReader, name: str) -> tuple[np.ndarray, int]:
    blocks, count = [], 0
    for block in reader.blocks():
        blocks.append(block)
        count += len(block)
        if count > LIMITS.sound_samples:
            raise UsageError(
                f"{name}: has more than {LIMITS.sound_samples:,} samples; cut it, or listen to it "
                "by edge-experts run --listen"
            )
    if not count:
        raise UsageError(f"{name}: has no samples")
    return np.concatenate(blocks), reader.format.rate
