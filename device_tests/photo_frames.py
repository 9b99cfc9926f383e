"""Digest of the features of 1,000 random frames, to compare machines bit by bit.

    python -m device_tests.photo_frames

The frames have random sizes, formats and targets. Every machine must print `DIGEST`.
"""

from __future__ import annotations

import hashlib

import numpy as np

from edge_experts.features import PhotoFeatures
from edge_experts.features.frames import FORMATS, FrameFormat
from edge_experts.features.resizing import POLICIES, Resizing

COUNT = 1000
DIGEST = "fc5169a288ad3849f338661106a4b44ed4cf1590298ce54120c3e73a51456a40"
_LONGEST, _SIDE = 150, 64


def digest(count: int = COUNT) -> str:
    """SHA-256 of the standardized features of `count` frames."""
    random = np.random.default_rng(0)
    found = hashlib.sha256()
    for place in range(count):
        width, height = random.integers(1, _LONGEST, 2).tolist()
        tall, wide = random.integers(1, _SIDE, 2).tolist()
        frames = FrameFormat(width, height, FORMATS[place % len(FORMATS)])
        channels = 1 if random.integers(2) else 3
        resizing = Resizing(tall, wide, channels, POLICIES[place // len(FORMATS) % len(POLICIES)])
        mean, deviation = random.integers(1, 255, (2, channels)).astype(np.float32)
        pixels = frames.pixels(random.bytes(frames.size))
        features = PhotoFeatures(resizing, mean, deviation)
        found.update(features.encode(pixels)["x"].astype("<f4").tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    print(digest())
