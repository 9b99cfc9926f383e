"""Photos per second: of answers alone, and with reading and decoding the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from ..errors import UsageError
from ..features import Features
from . import latency
from .bounds import Amount

_MOST_FILES, _MOST_BYTES = 64, 2**27  # of photos that are measured, decoded
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
class DecodedFiles:
    """Decoded photos, and the times of reading and decoding each."""

    photos: list[np.ndarray]
    decode: latency.Latency


def decode_files(features: Features, paths: Sequence[Path]) -> DecodedFiles:
    """Decode files that are spread evenly over all, and time it.

    Raises:
        UsageError: there are no files, or none of them can be read.
    """
    step = max(1, len(paths) // _MOST_FILES)
    photos, times, size = [], list[float](), 0
    problem: UsageError | None = None
    for path in paths[::step][:_MOST_FILES]:
        own = []
        try:
            for _ in range(_ROUNDS):
                begin = perf_counter_ns()
                photo = features.parse(str(path))
                own.append((perf_counter_ns() - begin) / 1000)
        except UsageError as error:
            problem = error
            continue
        photos.append(photo)
        times += own[1:]  # the first round reads the file from storage
        size += photo.nbytes
        if size > _MOST_BYTES:
            break
    if not photos:
        raise problem or UsageError("there are no photos")
    return DecodedFiles(photos, latency.summarize(times))


def speed(
    features: Features, answer_us: float, decode: latency.Latency | None
) -> PhotoSpeed | None:
    """Summarize; None if the inputs are not photos.

    Args:
        answer_us: of the median warm answer.
    """
    if not getattr(features, "suffixes", ()):
        return None
    whole = None
    if decode is not None:
        whole = round(1e6 / (answer_us + decode.total_us["p50"]), 2)
    return PhotoSpeed(round(1e6 / answer_us, 2), decode, whole)
