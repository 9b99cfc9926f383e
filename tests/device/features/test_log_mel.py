"""Spectra and resampling are right, and made of operations that every machine does alike."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from device_tests import sound_spectra
from edge_experts.features.exact_math import cosines, logarithms, sines
from edge_experts.features.log_mel import GRID, LogMel
from edge_experts.features.resampling import Resampler

SETTINGS = LogMel.of(16_000, 16_000)


def test_sines_and_logarithms_are_those_of_the_library() -> None:
    steps = np.arange(-2000, 2000)
    for circle in (1, 2, 3, 512, 441):
        wanted = [math.sin(math.tau * (step % circle) / circle) for step in steps.tolist()]
        assert np.allclose(sines(steps, circle), wanted, atol=1e-14, rtol=0)
        wanted = [math.cos(math.tau * (step % circle) / circle) for step in steps.tolist()]
        assert np.allclose(cosines(steps, circle), wanted, atol=1e-14, rtol=0)
    assert sines(np.array([0, 1, 2, 3]), 4).tolist() == [0, 1, 0, -1]
    values = np.exp(np.random.default_rng(0).uniform(-300, 300, 10_000))
    assert np.allclose(logarithms(values), np.log(values), atol=1e-15, rtol=1e-15)
    assert logarithms(np.ones(1)).tolist() == [0]


def _reference(samples: np.ndarray, settings: LogMel) -> np.ndarray:
    """The same spectrum by numpy's FFT and logarithm."""
    starts = np.arange(settings.shape[0]) * settings.hop
    frames = samples[starts[:, None] + np.arange(settings.frame)].astype(np.float64)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(settings.frame) / settings.frame)
    power = abs(np.fft.rfft(frames * window)) ** 2
    hertz = np.fft.rfftfreq(settings.frame, 1 / settings.rate)
    corners = np.linspace(_mel(settings.low), _mel(settings.high), settings.bands + 2)
    weights = np.stack(
        [
            np.interp(_mel(hertz), corners[band : band + 3], [0, 1, 0])
            for band in range(settings.bands)
        ]
    )
    weights[:, 0] = 0
    found: np.ndarray = np.log(1 + power @ weights.T)
    return found


def _mel(hertz: np.ndarray | float) -> np.ndarray:
    found: np.ndarray = 1127 * np.log(1 + np.asarray(hertz) / 700)
    return found


def _sound(count: int, level: float) -> np.ndarray:
    random = np.random.default_rng(count)
    sound = random.normal(0, level, count) + level * np.sin(np.arange(count) / 9)
    sound[count // 2 :] /= 1000
    whole: np.ndarray = sound.clip(-32768, 32767).astype(np.int16)
    return whole


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
@pytest.mark.parametrize("level", [0.5, 30, 8000, 1e6])
def test_a_spectrum_is_that_of_a_fourier_transform_to_half_a_step(rate: int, level: float) -> None:
    settings = LogMel.of(rate, rate)
    samples = _sound(rate, level)
    found = settings.apply(samples) / GRID
    assert found.shape == settings.shape
    assert abs(found - _reference(samples, settings)).max() <= 0.5 / GRID + 1e-9


def test_it_is_that_of_scipy_and_tensorflow() -> None:
    """Independent programs, where these are installed; well within 1e-2."""
    signal = pytest.importorskip("scipy.signal")
    samples = _sound(16_000, 3000)
    _, _, spectrum = signal.stft(
        samples, window="hann", nperseg=512, noverlap=192, boundary=None, padded=False,
        scaling="spectrum",
    )  # fmt: skip
    power = abs(spectrum.T * 256) ** 2
    corners = np.linspace(_mel(60), _mel(8000), 42)
    mels = _mel(np.arange(257) * 31.25)
    weights = np.stack([np.interp(mels, corners[band : band + 3], [0, 1, 0]) for band in range(40)])
    weights[:, 0] = 0
    assert abs(np.log(1 + power @ weights.T) - SETTINGS.apply(samples) / GRID).max() < 1e-2


def test_silence_is_zero() -> None:
    assert not SETTINGS.apply(np.zeros(16_000, np.int16)).any()


def test_settings_are_checked() -> None:
    right = SETTINGS.to_json()
    assert LogMel.from_json(right) == SETTINGS
    for changed in (
        {"rate": 0}, {"rate": 10**9}, {"rate": 16_000.0}, {"frame": 510}, {"frame": 0},
        {"frame": 2**20}, {"samples": 100}, {"samples": 2**40}, {"hop": 0}, {"hop": 20_000},
        {"bands": 0}, {"bands": 400}, {"low": 8000}, {"high": 9000}, {"low": -1}, {"hop": True},
        {"samples": 2**18, "hop": 1, "bands": 256},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"must be|more than"):
            LogMel.from_json(right | changed)


RATES = (1000, 8000, 11_025, 22_050, 44_100, 48_000, 192_000)


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_stays_a_tone(rate: int) -> None:
    hertz = min(rate, 16_000) * 0.2
    old = np.rint(10_000 * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)).astype(np.int16)
    resampler = Resampler(rate, 16_000)
    new = np.concatenate([resampler.feed(old), resampler.finish()])
    assert len(new) == 16_000
    wanted = 10_000 * np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000)
    inner = slice(1000, -1000)
    assert abs(new - wanted)[inner].max() <= 3


def test_a_tone_above_the_band_is_gone() -> None:
    old = np.rint(20_000 * np.sin(2 * np.pi * 9500 * np.arange(48_000) / 48_000))
    new = Resampler(48_000, 16_000).feed(old.astype(np.int16))
    assert abs(new[100:-100]).max() <= 20  # -60 dB


@pytest.mark.parametrize("rate", [7919, 8000, 16_000, 44_100, 96_001])
def test_blocks_do_not_matter(rate: int) -> None:
    random = np.random.default_rng(0)
    old = random.integers(-32768, 32768, rate // 2).astype(np.int16)
    whole = Resampler(rate, 16_000)
    wanted = np.concatenate([whole.feed(old), whole.finish()])
    parts = Resampler(rate, 16_000)
    cuts = sorted([0, len(old), *random.integers(0, len(old), 30).tolist()])
    found = [parts.feed(old[begin:end]) for begin, end in pairwise(cuts)]
    assert np.array_equal(np.concatenate([*found, parts.finish()]), wanted)


def test_short_sounds_are_resampled() -> None:
    for count in (0, 1, 2, 3):
        resampler = Resampler(44_100, 16_000)
        found = np.concatenate([resampler.feed(np.ones(count, np.int16)), resampler.finish()])
        assert len(found) == math.ceil(count * 160 / 441)


def test_a_thousand_recordings_have_the_stored_digest() -> None:
    assert sound_spectra.digest() == sound_spectra.DIGEST
