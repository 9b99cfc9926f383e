"""Spectra of sound in C: the bits of the runtime's, here and on an emulated Cortex-M4."""

from __future__ import annotations

import ctypes
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from edge_experts.converters.c_source import sound

from device_tests.sound_spectra import KINDS, RATES, recording, wav_file
from edge_experts.errors import UnsuitableError
from edge_experts.features import SoundFeatures
from edge_experts.features.log_mel import LogMel
from edge_experts.features.sound_stream import windows
from edge_experts.features.wav_files import decode_wav
from edge_experts.runtime.detection import Detector

from ..c_library import compile_as_cpp, library, write_features
from ..cortex_m import RAM, firmware

LEVELS = (1, 300, 2**15)
LABELS = ("_noise_", "yes", "no")
_MAIN = """\
#include <stdio.h>
#include "edge_experts_sound.h"
unsigned instructions(void);
static edge_experts_listener listener;
static int16_t window[EDGE_EXPERTS_SAMPLES];
static float x[EDGE_EXPERTS_INPUTS];
int main(void) {
    FILE *in = fopen("in.bin", "rb"), *out = fopen("out.bin", "wb");
    unsigned before = instructions();
    int place;
    edge_experts_listen(&listener);
    while (fread(window, sizeof window, 1, in) == 1) {
        before = instructions();
        edge_experts_sound_encode(window, x);
        printf("%u\\n", instructions() - before);
        fwrite(x, sizeof x, 1, out);
        for (place = 0; place < EDGE_EXPERTS_SAMPLES; place++)
            if (edge_experts_hear(&listener, window[place], x)) fwrite(x, sizeof x, 1, out);
    }
    return fclose(out);
}
"""


def _features(log_mel: LogMel) -> SoundFeatures:
    random = np.random.default_rng(log_mel.rate)
    return SoundFeatures(
        log_mel, random.normal(5, 1, log_mel.bands), random.uniform(0.5, 3, log_mel.bands)
    )


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


def _in_c(c: ctypes.CDLL, features: SoundFeatures, samples: np.ndarray) -> np.ndarray:
    window = np.empty(features.log_mel.samples, np.int16)
    x = np.empty(features.log_mel.shape, np.float32)
    c.edge_experts_sound_window(_pointer(samples), ctypes.c_size_t(len(samples)), _pointer(window))
    c.edge_experts_sound_encode(_pointer(window), _pointer(x))
    return x


def _recordings(count: int, random: np.random.Generator) -> Iterator[tuple[int, bytes]]:
    """Rates of features, and WAV files of random length, level, rate and format."""
    each = -(-count // (2 * len(RATES)))  # of one pair of rates, whose filter is made once
    for place in range(count):
        rate = RATES[place // each % len(RATES)]
        kind, bits, dtype = KINDS[place % len(KINDS)]
        content = wav_file(recording(random, rate, dtype), rate, kind, bits)
        yield (8000, 16_000)[place // each // len(RATES)], content


def _compare(count: int, folder: Path) -> None:
    """Files are read and resampled in Python; window and spectra are C's."""
    features = {rate: _features(LogMel.of(rate, rate // 2)) for rate in (8000, 16_000)}
    made = {rate: library(folder / str(rate), found) for rate, found in features.items()}
    for rate, content in _recordings(count, np.random.default_rng(5)):
        samples = features[rate].resampled(*decode_wav(content, "x"))
        found = _in_c(made[rate], features[rate], samples)
        assert found.tobytes() == features[rate].encode(content)["x"].tobytes()


def test_recordings_have_the_bits_of_the_runtimes(tmp_path: Path) -> None:
    _compare(80, tmp_path)


@pytest.mark.long
def test_a_thousand_recordings_have_the_bits_of_the_runtimes(tmp_path: Path) -> None:
    _compare(1000, tmp_path)


@pytest.mark.parametrize(
    "log_mel",
    [
        LogMel(11_025, 4000, 352, 220, 40, 60, 5512),  # a circle that is no power of 2
        LogMel(8000, 3000, 72, 100, 7, 0, 3000),
        LogMel(1000, 700, 8, 650, 1, 0, 500),
        LogMel(48_000, 30_000, 1536, 960, 64, 60, 24_000),
    ],
)
def test_other_settings_have_the_same_bits(log_mel: LogMel, tmp_path: Path) -> None:
    features, random = _features(log_mel), np.random.default_rng(1)
    c = library(tmp_path / "c", features)
    for level in (0, 1, 300, 32_767):
        samples = random.integers(-level - 1, level + 1, log_mel.samples).astype(np.int16)
        assert _in_c(c, features, samples).tobytes() == features.encode(samples)["x"].tobytes()


def test_the_loudest_samples_do_not_overflow(tmp_path: Path) -> None:
    features = _features(LogMel.of(16_000, 16_000))
    c = library(tmp_path / "c", features)
    square = np.where(np.arange(20_000) // 37 % 2, -(2**15), 2**15 - 1).astype(np.int16)
    for samples in (square, np.full(16_000, -(2**15), np.int16), np.zeros(16_000, np.int16)):
        assert _in_c(c, features, samples).tobytes() == features.encode(samples)["x"].tobytes()


@pytest.mark.parametrize(("rate", "length"), [(8000, 4000), (16_000, 8000), (8000, 4097)])
def test_a_stream_has_the_windows_of_listening(rate: int, length: int, tmp_path: Path) -> None:
    features = _features(LogMel.of(rate, length))
    c = library(tmp_path / "c", features, LABELS)
    hop = sound.defines(features.log_mel)["USUAL_HOP"]
    samples = np.random.default_rng(2).integers(-3000, 3000, 3 * rate).astype(np.int16)
    state = ctypes.create_string_buffer(2**17)
    c.edge_experts_listen(state)
    x = np.empty(features.log_mel.shape, np.float32)
    found = [
        x.tobytes()
        for sample in samples.tolist()
        if c.edge_experts_hear(state, ctypes.c_int16(sample), _pointer(x))
    ]
    stream = windows(io.BytesIO(samples.tobytes()), "x", features.log_mel, hop)
    wanted = [features.encode(window.samples)["x"].tobytes() for window in stream]
    assert len(found) == len(samples) // hop
    assert found == wanted[: len(found)]  # what follows is the silence after the stream


def test_detections_are_those_of_listening(tmp_path: Path) -> None:
    features = _features(LogMel.of(8000, 4000))
    c = library(tmp_path / "c", features, LABELS)
    hop = sound.defines(features.log_mel)["USUAL_HOP"]
    detector = Detector(LABELS, 0.7, -(-4000 // hop))
    state, score = ctypes.create_string_buffer(2**17), ctypes.c_float()
    c.edge_experts_listen(state)
    random, best, told = np.random.default_rng(3), 0, 0
    for _ in range(5000):
        best = best if random.random() < 0.7 else int(random.integers(3))
        scores = random.dirichlet(np.where(np.arange(3) == best, 9, 0.4)).astype(np.float32)
        wanted = detector.update(scores)
        found = c.edge_experts_detect(state, _pointer(scores), ctypes.byref(score))
        assert found == (-1 if wanted is None else LABELS.index(wanted.label))
        if wanted is not None:
            told += 1
            assert score.value == wanted.score
    assert told > 100


def test_frames_that_bins_cannot_share_are_refused() -> None:
    with pytest.raises(UnsuitableError, match="a multiple of 8 samples, got 444"):
        sound.defines(LogMel.of(13_900, 6950))


@pytest.mark.parametrize("rate", [8000, 16_000])
def test_an_emulated_cortex_m4_gives_the_same_bits(rate: int, tmp_path: Path) -> None:
    features, folder = _features(LogMel.of(rate, rate // 2)), tmp_path / "firmware"
    log_mel = features.log_mel
    write_features(folder, features, LABELS)
    compile_as_cpp(folder)
    made = firmware(folder, _MAIN)
    random = np.random.default_rng(4)
    given = [random.integers(-one, one, log_mel.samples).astype(np.int16) for one in LEVELS]
    (folder / "in.bin").write_bytes(b"".join(one.tobytes() for one in given))
    counted = list(map(int, made.run().split()))
    hop = sound.defines(log_mel)["USUAL_HOP"]
    live = [
        features.encode(window.samples)["x"].tobytes()
        for window in windows(io.BytesIO(np.concatenate(given).tobytes()), "x", log_mel, hop)
    ]
    wanted = b""
    for place, samples in enumerate(given, 1):
        first, last = ((one * log_mel.samples) // hop for one in (place - 1, place))
        wanted += features.encode(samples)["x"].tobytes() + b"".join(live[first:last])
    assert (folder / "out.bin").read_bytes() == wanted
    assert max(counted) < log_mel.shape[0] * 100 * rate  # instructions: 50 spectra a second
    assert sum(ram for _, ram in made.sizes.values()) < RAM // 4
