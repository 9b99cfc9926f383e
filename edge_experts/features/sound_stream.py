"""Windows of a stream of sound, such as that of a microphone, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from ..errors import UsageError
from .log_mel import LogMel
from .resampling import Resampler
from .wav_files import WavReader, kind_of_head, raw_blocks

_HEAD = 12  # bytes that tell a WAV file


@dataclass(frozen=True)
class SoundWindow:
    """A window of a stream.

    Attributes:
        end: of the window, in seconds from the start of the stream.
        samples: (log_mel.samples,) int16.
    """

    end: float
    samples: np.ndarray


def windows(stream: BinaryIO, name: str, log_mel: LogMel, hop: int) -> Iterator[SoundWindow]:
    """Yield a window after every `hop` samples, each as soon as its last sample is there.

    The stream is a WAV file of any format and length, or raw samples at the rate of `log_mel`: 16
    bits, little-endian, one channel. Silence precedes it, and half a window of it follows.

    Args:
        hop: samples at the rate of `log_mel` between two windows.

    Raises:
        UsageError: the stream is of another kind, has no samples, or ones that are not finite.
    """
    latest = np.zeros(log_mel.samples, np.int16)
    waiting, count = latest[:0], 0
    for block in _with_silence(_blocks(stream, name, log_mel.rate, hop), log_mel.samples // 2, hop):
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= hop:
            latest = np.concatenate([latest, waiting[:hop]])[-log_mel.samples :]
            waiting, count = waiting[hop:], count + hop
            yield SoundWindow(count / log_mel.rate, latest)


def _with_silence(blocks: Iterator[np.ndarray], least: int, hop: int) -> Iterator[np.ndarray]:
    """Append silence: at least `least` samples, and up to a multiple of the hop."""
    count = 0
    for block in blocks:
        count += len(block)
        yield block
    yield np.zeros(least + -(count + least) % hop, np.int16)


def _blocks(stream: BinaryIO, name: str, rate: int, hop: int) -> Iterator[np.ndarray]:
    """Samples at a rate, (n,) int16, about a hop at a time."""
    head = stream.read(_HEAD)
    kind = kind_of_head(head)
    if kind == "WAV":
        reader = WavReader(stream, name, head)
        resampler = Resampler(reader.format.rate, rate)
        for block in reader.blocks(max(1, hop * reader.format.rate // rate)):
            yield resampler.feed(block)
        yield resampler.finish()
        return
    if kind:
        raise UsageError(f"{name}: is {kind}; give a WAV file, or raw samples (arecord -t raw)")
    if len(head) < 2:
        raise UsageError(f"{name}: has no samples")
    yield from raw_blocks(stream, head, hop)
