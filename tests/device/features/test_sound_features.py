"""Features of sounds: one window of any sound, as a standardized spectrum."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_tests.sound_spectra import wav_file
from edge_experts.errors import UsageError
from edge_experts.features import SoundFeatures, restore
from edge_experts.features.log_mel import GRID, LogMel
from tests.sounds import LABELS, RATE, made

LOG_MEL = LogMel.of(RATE, RATE)
RANDOM = np.random.default_rng(0)
WINDOWS = np.stack([np.pad(made(label, RANDOM)[:, 0], (0, RATE))[:RATE] for label in LABELS])
FEATURES = SoundFeatures.of_windows(WINDOWS, LOG_MEL)


def test_bands_are_standardized() -> None:
    encoded = np.concatenate([FEATURES.encode(window)["x"] for window in WINDOWS])
    assert encoded.shape == (3, *LOG_MEL.shape)
    assert encoded.dtype == np.float32
    assert abs(encoded.mean(axis=(0, 1))).max() < 1e-4
    assert abs(encoded.std(axis=(0, 1)) - 1).max() < 1e-4
    plain = SoundFeatures.of_windows(WINDOWS, LOG_MEL, standardize=False)
    assert np.array_equal(plain.encode(WINDOWS[0])["x"][0] * GRID, LOG_MEL.apply(WINDOWS[0]))


def test_a_bundle_restores_them() -> None:
    again = restore("sound", FEATURES.settings, FEATURES.arrays)
    assert np.array_equal(again.encode(WINDOWS[0])["x"], FEATURES.encode(WINDOWS[0])["x"])
    assert again.settings == FEATURES.settings


def test_a_short_sound_stands_in_the_middle_of_silence() -> None:
    window = FEATURES.window(np.ones(1001, np.int16))
    assert np.flatnonzero(window)[[0, -1]].tolist() == [7499, 8499]
    assert FEATURES.window(np.array([7], np.int16)).sum() == 7


def test_of_a_long_sound_the_loudest_window_is_used() -> None:
    sound = np.zeros(5 * RATE, np.int16)
    sound[3 * RATE : 3 * RATE + 8000] = 1000
    sound[0] = 32767
    assert FEATURES.window(sound).sum() == 8000 * 1000
    loud = np.full(2 * RATE, -32768, np.int16)
    assert np.array_equal(FEATURES.window(loud), loud[:RATE])


def test_the_loudest_window_of_any_length_is_that_of_all_sums() -> None:
    random = np.random.default_rng(3)
    for count in (RATE + 1, 2**16, 2**16 + 1, 200_001):
        sound = random.integers(-(2**15), 2**15, count).astype(np.int16)
        energy = np.concatenate([[0], np.cumsum(sound.astype(np.int64) ** 2)])
        starts = np.arange(0, count - LOG_MEL.samples + 1, LOG_MEL.hop)
        best = starts[np.argmax(energy[starts + LOG_MEL.samples] - energy[starts])]
        assert np.array_equal(FEATURES.window(sound), sound[best : best + LOG_MEL.samples])


def test_the_window_of_a_long_sound_takes_little_memory() -> None:
    sound = np.ones(4_000_000, np.int16)
    tracemalloc.start()
    try:
        FEATURES.window(sound)
        assert tracemalloc.get_traced_memory()[1] < sound.nbytes / 2
    finally:
        tracemalloc.stop()


def test_files_arrays_and_lines_are_the_same(tmp_path: Path) -> None:
    samples = WINDOWS[0]
    content = wav_file(samples[:, None], RATE)
    path = tmp_path / "a.WAV"
    path.write_bytes(content)
    wanted = FEATURES.encode(samples)["x"]
    for example in (
        content,
        samples.tolist(),
        samples.astype(float),
        samples[:, None],
        FEATURES.parse(str(path)),
        FEATURES.parse(str(samples.tolist())),
    ):
        assert np.array_equal(FEATURES.encode(example)["x"], wanted)
    assert np.array_equal(FEATURES.pack([content])[0], samples)


@pytest.mark.parametrize(
    "example",
    [[], [[1, 2], [3, 4]], [0.5], [40_000], ["a"], None, "x", b"", b"RIFF", [np.nan], [True]],
)
def test_other_examples_are_refused(example: Any) -> None:
    with pytest.raises(UsageError, match=r"x: "):
        FEATURES.encode(example)


def test_floats_are_told_the_remedy() -> None:
    with pytest.raises(UsageError, match="multiply floats from -1 to 1 by 32,768"):
        FEATURES.encode(np.array([0.25, -0.5]))


def test_lines_that_name_no_file(tmp_path: Path) -> None:
    for line, message in (
        (str(tmp_path / "no.wav"), "no such file"),
        ("hello", "no .wav file, and no array"),
        ("[1, 2", "not JSON"),
        ("a" * 5000, "no .wav file"),
    ):
        with pytest.raises(UsageError, match=message):
            FEATURES.parse(line)


def test_silence_is_told() -> None:
    warnings: list[str] = []
    FEATURES.encode(np.zeros(100, np.int16), warnings)
    assert warnings == ["the sound is silent: all its samples are equal"]
    FEATURES.encode(WINDOWS[0], warnings)
    assert len(warnings) == 1


def test_the_inputs_are_described() -> None:
    (x,) = FEATURES.inputs
    assert x["window"] == "1 s at 16000 Hz"
    assert x["dtype"] == "int16"
