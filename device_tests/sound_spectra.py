"""Digest of the features of 1,000 random recordings, to compare machines bit by bit.

    python -m device_tests.sound_spectra

The recordings have random lengths and levels, and rates and formats in turn. Every machine must
print `DIGEST`.
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np

from edge_experts.features import SoundFeatures
from edge_experts.features.log_mel import LogMel

COUNT = 1000
DIGEST = "854ea3513ac3f1594e1a5aa0e84e2229f8776b30c3b4f6183ea2ee0cfec24986"
RATES = (8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000)
# Format, bits and type of numpy of each kind of sample.
KINDS = ((1, 8, "u1"), (1, 16, "<i2"), (1, 32, "<i4"), (3, 32, "<f4"), (3, 64, "<f8"))
_SECONDS = 0.5


def wav_file(samples: np.ndarray, rate: int, kind: int = 1, bits: int = 16) -> bytes:
    """A WAV file of (frames, channels) samples of a type in `KINDS`."""
    channels = samples.shape[1]
    frame = channels * bits // 8
    content = samples.tobytes()
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, kind, channels, rate, rate * frame, frame, bits)
    chunks = head + struct.pack("<4sI", b"data", len(content)) + content
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def recording(random: np.random.Generator, rate: int, dtype: str) -> np.ndarray:
    """Noise of whole numbers, of a random length, level and number of channels."""
    count, channels = int(random.integers(1, rate * 3 // 4)), int(random.integers(1, 3))
    level = 2 ** int(random.integers(1, 16))
    samples = random.integers(-level, level, (count, channels))
    if dtype == "u1":
        return ((samples >> 8) + 128).astype(dtype)
    if dtype == "<i4":
        return (samples << 15).astype(dtype)
    return (samples / (1 if dtype == "<i2" else 2**15)).astype(dtype)


def digest(count: int = COUNT) -> str:
    """SHA-256 of the standardized features of `count` recordings."""
    random = np.random.default_rng(0)
    found = hashlib.sha256()
    each = -(-count // (2 * len(RATES)))  # of one pair of rates, whose filter is made once
    for place in range(count):
        rate = RATES[place // each % len(RATES)]
        wanted = (8000, 16_000)[place // each // len(RATES)]
        kind, bits, dtype = KINDS[place % len(KINDS)]
        content = wav_file(recording(random, rate, dtype), rate, kind, bits)
        log_mel = LogMel.of(wanted, int(wanted * _SECONDS))
        mean, deviation = random.integers(1, 20, (2, log_mel.bands)).astype(np.float32)
        features = SoundFeatures(log_mel, mean, deviation)
        found.update(features.encode(content)["x"].astype("<f4").tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    print(digest())
