"""Photos per second and the real-time factor of sounds, with and without decoding of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from ..errors import UsageError
from ..features import Features, PhotoFeatures, SoundFeatures
from . import latency
from .bounds import Amount

_MOST_FILES, _MOST_BYTES = 64, 2**27  # that are measured, decoded
_HOPS = 8  # of `run --listen` in a window
_ROUNDS = 3


@dataclass(frozen=True)
class PhotoSpeed:
    """Throughput of one process, one photo after the other.

    Attributes:
        frames_per_second: with resizing, of photos that are decoded already, as frames of a camera
            are; from the median warm answer.
        decode: reading and decoding of an image file, from the page cache; None if no files were
            given.
        frames_per_second_with_decoding: of image files.
    """

    frames_per_second: Amount
    decode: latency.Latency | None = None
    frames_per_second_with_decoding: Amount | None = None


@dataclass(frozen=True)
class SoundSpeed:
    """Speed of one process, on its threads.

    Attributes:
        real_time_factor: time of the answers of `run --listen` in its usual windows, as a share of
            the time of the sound; from the median warm answer.
        window_seconds: of the sound of one answer; there is one after every eighth of it.
        decode: reading, decoding and resampling of a file, from the page cache; None if no files
            were given.
    """

    real_time_factor: Amount
    window_seconds: Amount
    decode: latency.Latency | None = None


@dataclass(frozen=True)
class DecodedFiles:
    """Decoded photos or sounds, and the times of reading and decoding each."""

    examples: list[np.ndarray]
    decode: latency.Latency


def decode_files(features: Features, paths: Sequence[Path]) -> DecodedFiles:
    """Decode files that are spread evenly over all, and time it.

    Raises:
        UsageError: there are no files, or none of them can be read.
    """
    step = max(1, len(paths) // _MOST_FILES)
    examples, times, size = [], list[float](), 0
    problem: UsageError | None = None
    for path in paths[::step][:_MOST_FILES]:
        own = []
        try:
            for _ in range(_ROUNDS):
                begin = perf_counter_ns()
                example = features.parse(str(path))
                own.append((perf_counter_ns() - begin) / 1000)
        except UsageError as error:
            problem = error
            continue
        examples.append(example)
        times += own[1:]  # the first round reads the file from storage
        size += example.nbytes
        if size > _MOST_BYTES:
            break
    if not examples:
        raise problem or UsageError("there are no such files")
    return DecodedFiles(examples, latency.summarize(times))


def photo_speed(
    features: Features, answer_us: float, decode: latency.Latency | None
) -> PhotoSpeed | None:
    """Summarize; None if the inputs are not photos.

    Args:
        answer_us: of the median warm answer.
    """
    if not isinstance(features, PhotoFeatures):
        return None
    whole = None
    if decode is not None:
        whole = round(1e6 / (answer_us + decode.total_us["p50"]), 2)
    return PhotoSpeed(round(1e6 / answer_us, 2), decode, whole)


def sound_speed(
    features: Features, answer_us: float, decode: latency.Latency | None
) -> SoundSpeed | None:
    """Summarize; None if the inputs are not sounds; see `photo_speed`."""
    if not isinstance(features, SoundFeatures):
        return None
    seconds = features.log_mel.samples / features.log_mel.rate
    return SoundSpeed(round(answer_us * _HOPS / (seconds * 1e6), 6), seconds, decode)
