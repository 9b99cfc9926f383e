"""Windows of streams: raw and WAV, of any rate, endless or cut off, in bounded memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
from typing import BinaryIO, cast

import numpy as np
import pytest

from device_tests.sound_spectra import wav_file
from edge_experts.errors import UsageError
from edge_experts.features.log_mel import LogMel
from edge_experts.features.sound_stream import SoundWindow, windows
from tests.sounds import RATE, chunk, header

LOG_MEL = LogMel.of(RATE, 8000)
HOP = 1000
SAMPLES = np.random.default_rng(0).integers(-9000, 9000, 20_500).astype("<i2")


def _found(content: bytes) -> list[SoundWindow]:
    return list(windows(io.BytesIO(content), "stdin", LOG_MEL, HOP))


def test_a_window_ends_after_every_hop() -> None:
    found = _found(SAMPLES.tobytes())
    assert [round(window.end * RATE) for window in found] == list(range(1000, 25_001, 1000))
    silent = np.concatenate([np.zeros(8000, np.int16), SAMPLES, np.zeros(4500, np.int16)])
    for place, window in enumerate(found, 1):
        assert np.array_equal(window.samples, silent[place * HOP :][:8000])


def test_a_wav_file_and_raw_samples_are_the_same() -> None:
    for content in (
        wav_file(SAMPLES[:, None], RATE),
        wav_file(np.stack([SAMPLES, SAMPLES], axis=1), RATE),
        # arecord writes a size that is not known yet.
        b"RIFF\xff\xff\xff\xffWAVE"
        + chunk(b"fmt ", header())
        + chunk(b"data", SAMPLES.tobytes(), 2**31),
    ):
        pairs = zip(_found(content), _found(SAMPLES.tobytes()), strict=True)
        assert all(np.array_equal(one.samples, other.samples) for one, other in pairs)


def test_another_rate_is_resampled() -> None:
    found = _found(wav_file(np.full((48_000, 1), 500, "<i2"), 48_000))
    assert found[-1].end == (RATE + 4000) / RATE
    assert set(found[10].samples.tolist()) == {500}


def test_a_stream_of_one_sample_and_one_that_ends_within_one() -> None:
    assert len(_found(b"\1\0")) == 5
    assert len(_found(b"\1\0\2")) == 5


def test_other_streams_are_refused() -> None:
    for content, message in (
        (b"", "stdin: has no samples"),
        (b"x", "stdin: has no samples"),
        (b"OggS" + bytes(100), "stdin: is Ogg; give a WAV file, or raw samples"),
        (b"RIFF\0\0\0\0WAVE", "without samples"),
        (b"RIFF\0\0\0\0WAVE" + chunk(b"fmt ", header(bits=12)), "12 bits"),
        (wav_file(np.array([[np.nan]], "<f4"), RATE, 3, 32), "NaN"),
    ):
        with pytest.raises(UsageError, match=message):
            _found(content)


class _Endless:
    """A microphone that does not end."""

    def __init__(self) -> None:
        rate = struct.pack("<I", 44_100)
        self._head = b"RIFF\0\0\0\0WAVE" + chunk(b"fmt ", header(rate=44_100)) + b"data" + bytes(4)
        assert rate in self._head

    def read(self, size: int) -> bytes:
        begun, self._head = self._head[:size], self._head[size:]
        return begun + b"\1\0" * ((size - len(begun)) // 2)


def test_an_endless_stream_takes_bounded_memory() -> None:
    stream = windows(cast("BinaryIO", _Endless()), "stdin", LOG_MEL, HOP)
    for _ in range(50):
        next(stream)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(2000):
        window = next(stream)
    grown = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert window.end == 2050 * HOP / RATE
    assert grown < 5_000_000
