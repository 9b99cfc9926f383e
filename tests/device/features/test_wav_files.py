"""WAV files of every kind are read alike, and odd ones are right or refused by name."""

from __future__ import annotations

import io
import os
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device_tests.sound_spectra import wav_file
from edge_experts.errors import UsageError
from edge_experts.features import SoundFeatures, wav_files
from edge_experts.features.log_mel import LogMel
from edge_experts.features.wav_files import decode_wav, read_header, read_wav
from edge_experts.format.limits import LIMITS
from tests.sounds import RATE, chunk, header, riff

SAMPLES = np.array([0, 1, -1, 256, -512, 1024, 32767, -32768], "<i2")[:, None]
DATA = chunk(b"data", SAMPLES.tobytes())
FMT = chunk(b"fmt ", header())


def _bytes(samples: np.ndarray) -> bytes:
    """Samples of 24 bits."""
    wide = samples.astype("<i4")
    return b"".join(int(one).to_bytes(3, "little", signed=True) for one in wide.ravel())


def test_every_kind_of_sample_has_the_same_meaning() -> None:
    whole = SAMPLES[:, 0].astype(int)
    for content in (
        wav_file(SAMPLES, RATE),
        wav_file((whole[:, None] << 16).astype("<i4"), RATE, 1, 32),
        wav_file((whole[:, None] / 2**15).astype("<f4"), RATE, 3, 32),
        wav_file((whole[:, None] / 2**15).astype("<f8"), RATE, 3, 64),
        riff(chunk(b"fmt ", header(frame=3, bits=24)), chunk(b"data", _bytes(whole << 8))),
    ):
        samples, rate = decode_wav(content, "x")
        assert (samples.tolist(), rate) == (whole.tolist(), RATE)
    eight, _ = decode_wav(wav_file(np.array([[0], [128], [255]], "u1"), RATE, 1, 8), "x")
    assert eight.tolist() == [-32768, 0, 32512]


def test_channels_are_averaged_and_rounded() -> None:
    two = np.array([[1, 2], [-1, -2], [32767, 32767], [100, -100]], "<i2")
    assert decode_wav(wav_file(two, RATE), "x")[0].tolist() == [2, -1, 32767, 0]


def test_loud_floats_are_clipped() -> None:
    loud = np.array([[1.0], [-1.5], [1e30], [-1e-9]], "<f4")
    assert decode_wav(wav_file(loud, RATE, 3, 32), "x")[0].tolist() == [32767, -32768, 32767, 0]


EXTENSIBLE = header(kind=0xFFFE) + struct.pack("<HHIH", 22, 16, 0, 1) + b"\0" * 14
GOOD = {
    "extensible": riff(chunk(b"fmt ", EXTENSIBLE), DATA),
    "other chunks before": riff(chunk(b"LIST", b"abc"), FMT, chunk(b"fact", bytes(4)), DATA),
    "chunks behind": riff(FMT, DATA, chunk(b"LIST", b"abcd")),
    "a size of a stream": riff(FMT, chunk(b"data", SAMPLES.tobytes(), 0xFFFFFFFF)),
    "a size of 0, as of a pipe": riff(FMT, chunk(b"data", SAMPLES.tobytes(), 0)),
    "a size beyond the end": riff(FMT, chunk(b"data", SAMPLES.tobytes(), 10**6)),
    "half a sample at the end": riff(FMT, b"data" + struct.pack("<I", 17)) + SAMPLES.tobytes()
    + b"x",
    "a wrong size of the file": b"RIFF\0\0\0\0" + riff(FMT, DATA)[8:],
    "a wrong number of bytes a second": riff(chunk(b"fmt ", header(speed=7)), DATA),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_odd_files_that_are_right(name: str) -> None:
    samples, rate = decode_wav(GOOD[name], "x")
    assert samples.tolist() == SAMPLES[:, 0].tolist()
    assert rate == RATE


BROKEN = {
    "empty": (b"", "is empty"),
    "text": (b"hello, this is no sound at all", "not a WAV file"),
    "Ogg": (b"OggS" + bytes(40), "it is Ogg: convert it"),
    "FLAC": (b"fLaC" + bytes(40), "it is FLAC"),
    "MP3": (b"ID3\4" + bytes(40), "it is MP3"),
    "AIFF": (b"FORM" + bytes(40), "it is AIFF"),
    "RF64": (b"RF64" + bytes(40), "it is RF64"),
    "an AVI": (b"RIFF\0\0\0\0AVI LIST", "not a WAV file"),
    "only a head": (b"RIFF\0\0\0\0WAVE", "without samples"),
    "no data": (riff(FMT), "without samples"),
    "no format": (riff(DATA), r"without a format \(chunk fmt\)"),
    "a short format": (riff(chunk(b"fmt ", b"abc"), DATA), "chunk fmt.*damaged"),
    "a cut format": (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0abc", "chunk fmt.*damaged"),
    "a huge format": (riff(chunk(b"fmt ", header(), 2**31), DATA), "chunk fmt.*damaged"),
    "no samples": (riff(FMT, chunk(b"data", b"")), "has no samples"),
    "A-law": (riff(chunk(b"fmt ", header(kind=6, bits=8)), DATA), "of A-law; convert it"),
    "ADPCM": (riff(chunk(b"fmt ", header(kind=2, bits=4)), DATA), "of ADPCM"),
    "12 bits": (riff(chunk(b"fmt ", header(bits=12)), DATA), "12 bits of format 1"),
    "float of 16 bits": (riff(chunk(b"fmt ", header(kind=3)), DATA), "16 bits of format 3"),
    "no channels": (riff(chunk(b"fmt ", header(channels=0)), DATA), "has 0 channels"),
    "many channels": (riff(chunk(b"fmt ", header(channels=65535)), DATA), "has 65535 channels"),
    "no rate": (riff(chunk(b"fmt ", header(rate=0)), DATA), "has 0 samples a second"),
    "a huge rate": (riff(chunk(b"fmt ", header(rate=2**32 - 1)), DATA), "samples a second"),
    "frames that lie": (riff(chunk(b"fmt ", header(frame=4)), DATA), "header states 4"),
    "NaN": (wav_file(np.array([[0.0], [np.nan]], "<f4"), RATE, 3, 32), "NaN or infinite"),
    "infinite": (wav_file(np.array([[np.inf]], "<f8"), RATE, 3, 64), "NaN or infinite"),
    "endless chunks": (riff(*[chunk(b"junk", b"", 2**30)] * 2), "bytes before the samples"),
}


# Samples of 16 bits and their rate: what they are heard as.
HEARD = {
    "silence": (np.zeros(8000, "<i2"), 8000),
    "one sample": (np.array([1000], "<i2"), RATE),
    "clipping": (np.tile(np.array([32767, -32768], "<i2"), 4000), RATE),
    "a constant": (np.full(8000, -32768, "<i2"), RATE),
    "192 kHz": (np.tile(np.array([0, 1000], "<i2"), 48_000), 192_000),
    "1 kHz": (np.tile(np.array([0, 1000], "<i2"), 500), 1000),
}


@pytest.mark.parametrize("name", HEARD)
def test_odd_sounds_have_finite_features(name: str) -> None:
    samples, rate = HEARD[name]
    log_mel = LogMel.of(RATE, RATE)
    features = SoundFeatures(log_mel, np.zeros(()), np.ones(()))
    warnings: list[str] = []
    found = features.encode(wav_file(samples[:, None], rate), warnings)["x"]
    assert found.shape == (1, *log_mel.shape)
    assert np.isfinite(found).all()
    assert bool(warnings) is (name == "silence")
    assert found.any() is not np.bool_(name == "silence")


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_by_name(name: str, tmp_path: Path) -> None:
    content, message = BROKEN[name]
    path = tmp_path / "odd.wav"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=rf"odd\.wav: .*{message}"):
        read_wav(path)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    for path in (tmp_path / "no.wav", tmp_path, tmp_path / ("a" * 300), Path("a\0b")):
        with pytest.raises(UsageError, match=r"no such file|cannot be read"):
            read_wav(path)


def test_a_header_tells_rate_and_length(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_file(np.zeros((4000, 2), "<i2"), 8000))
    found = read_header(path)
    assert (found.rate, found.samples, found.seconds) == (8000, 4000, 0.5)
    path.write_bytes(GOOD["a size beyond the end"])
    assert read_header(path).samples == len(SAMPLES)
    path.write_bytes(riff(FMT, chunk(b"data", b"")))
    with pytest.raises(UsageError, match=r"a\.wav: has no samples"):
        read_header(path)


def test_a_file_of_two_gigabytes_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    """The file is sparse: its zeros take no storage."""
    path = tmp_path / "long.wav"
    path.write_bytes(riff(FMT, b"data" + struct.pack("<I", 2**31 - 2)))
    os.truncate(path, 2**31)
    assert read_header(path).samples > 10**9
    with pytest.raises(UsageError, match=r"long\.wav: has more than 16,777,216 samples; cut it"):
        read_wav(path)


def test_the_samples_of_a_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    content = wav_file(np.zeros((100, 1), "<i2"), RATE)
    monkeypatch.setattr(wav_files, "LIMITS", replace(LIMITS, sound_samples=100))
    decode_wav(content, "x")
    monkeypatch.setattr(wav_files, "LIMITS", replace(LIMITS, sound_samples=99))
    with pytest.raises(UsageError, match="x: has more than 99 samples"):
        decode_wav(content, "x")


def test_random_changes_of_a_file_are_read_or_refused() -> None:
    random, right, refused = np.random.default_rng(0), GOOD["extensible"], []
    for _ in range(2000):
        changed = bytearray(right)
        for place in random.integers(0, len(right), random.integers(1, 6)):
            changed[place] = random.integers(256)
        cut = bytes(changed[: random.integers(1, len(right) + 1)])
        try:
            samples, rate = decode_wav(cut, "x")
        except UsageError as error:
            refused.append(str(error))
        else:
            assert samples.dtype == np.int16
            assert 1000 <= rate <= LIMITS.sound_rate
    assert len(refused) > 100
    assert all(message.startswith("x: ") for message in refused)


def test_a_stream_is_read_in_blocks() -> None:
    reader = wav_files.WavReader(io.BytesIO(wav_file(np.zeros((1000, 2), "<i2"), RATE)), "x")
    assert [len(block) for block in reader.blocks(300)] == [300, 300, 300, 100]
