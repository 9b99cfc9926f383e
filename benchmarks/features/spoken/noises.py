"""Synthesized noise: of a random colour, with a hum or clicks."""

from __future__ import annotations

import numpy as np

from .synthesizers import RATE

_SECONDS = 10  # of one kind in a long recording


def noise(count: int, random: np.random.Generator) -> np.ndarray:
    """Coloured noise with a hum or clicks, at a random level, (count,) int16."""
    spectrum = np.fft.rfft(random.normal(size=count))
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20)
    sound = np.fft.irfft(spectrum * frequency ** -random.uniform(0, 1.2), count)
    sound /= sound.std()
    time = np.arange(count) / RATE
    if random.random() < 0.4:
        hum = sum(np.sin(2 * np.pi * random.uniform(40, 400) * time) for _ in range(3))
        sound += random.uniform(0.3, 2) * hum
    if random.random() < 0.4:
        for start in random.integers(0, count - 2000, count // RATE * 3):
            click = np.exp(-np.arange(2000) / random.uniform(20, 500))
            sound[start : start + 2000] += random.normal(0, 6, 2000) * click
    level = 10 ** random.uniform(1.5, 3.2)
    samples: np.ndarray = np.clip(np.rint(sound * level), -32768, 32767)
    return samples.astype(np.int16)


def long_noise(minutes: float, random: np.random.Generator) -> np.ndarray:
    """Noise that changes every ten seconds, (samples,) int16."""
    parts = round(60 * minutes / _SECONDS)
    return np.concatenate([noise(_SECONDS * RATE, random) for _ in range(parts)])
