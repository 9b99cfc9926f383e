"""Folders of made sounds, and WAV files of every kind."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from device_tests.sound_spectra import wav_file

LABELS = ("chirp", "hum", "tick")
NOISE = "_background_noise_"
RATE = 16_000


def made(label: str, random: np.random.Generator, rate: int = RATE) -> np.ndarray:
    """A sound of one of `LABELS`, 0.3 to 0.5 s, (samples, 1) int16."""
    time = np.arange(int(rate * random.uniform(0.3, 0.5))) / rate
    pitch, second = random.uniform(0.8, 1.25), random.uniform(0, 1.5)
    sound = {
        "chirp": np.sin(2 * np.pi * pitch * (300 + 1500 * time) * time),
        "hum": np.sin(2 * np.pi * pitch * 200 * time)
        + second * np.sin(2 * np.pi * pitch * 600 * time),
        "tick": random.normal(0, 1, len(time)) * (time % 0.1 < 0.01),
    }[label]
    level = random.uniform(2000, 12_000)
    samples: np.ndarray = (level * sound + random.normal(0, 20, len(time))).clip(-32768, 32767)
    return samples.astype("<i2")[:, None]


def noise(seconds: float, random: np.random.Generator) -> np.ndarray:
    samples: np.ndarray = random.normal(0, 300, (int(seconds * RATE), 1)).astype("<i2")
    return samples


def write_sounds(folder: Path, each: int = 30, seed: int = 0) -> Path:
    """A folder of sounds of `LABELS`, by six speakers, at two rates, and of noise."""
    random = np.random.default_rng(seed)
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        for place in range(each):
            rate = (RATE, 22_050)[place % 2]
            name = f"s{place % 6}_nohash_{place // 6}.wav"
            content = wav_file(made(label, random, rate), rate)
            (folder / label / name).write_bytes(content)
    (folder / NOISE).mkdir()
    (folder / NOISE / "fan.wav").write_bytes(wav_file(noise(20, random), RATE))
    return folder


def stream(labels: list[str], random: np.random.Generator) -> tuple[np.ndarray, list[float]]:
    """Sounds with a second and a half of noise before each, (n,) int16, and their middles in s."""
    parts, middles, count = [], [], 0
    for label in labels:
        before, sound = noise(1.5, random), made(label, random)
        middles.append((count + len(before) + len(sound) / 2) / RATE)
        parts += [before, sound]
        count += len(before) + len(sound)
    return np.concatenate([*parts, noise(0.3, random)])[:, 0], middles


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    stated = len(content) if size is None else size
    return name + struct.pack("<I", stated) + content + bytes(len(content) % 2)


def header(**changed: Any) -> bytes:
    """The format of a file of 16 bits, with some of its values changed."""
    values = {"kind": 1, "channels": 1, "rate": RATE, "speed": RATE * 2, "frame": 2, "bits": 16}
    return struct.pack("<HHIIHH", *(values | changed).values())


def riff(*chunks: bytes) -> bytes:
    content = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content
