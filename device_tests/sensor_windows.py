"""Digest of the features of 1,000 windows of random rows, to compare machines bit by bit.

    python -m device_tests.sensor_windows

The rows come as text, as from a sensor: numbers of many sizes, cells without a value, times that
waver, with rows that are missing and gaps. Every machine must print `DIGEST`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from edge_experts.datasets.sensor_rows import windows_of_lines
from edge_experts.errors import UsageError
from edge_experts.features import ArrayFeatures
from edge_experts.features.sensor_stream import SensorStream

COUNT = 1000
DIGEST = "5e35f124dafebf8c1c8ab2c8a7e1e236dab1fc75d85f1a02f99a24a0aadacfb6"
_CHANNELS = ("ax", "ay", "az", "gx")
_LENGTH, _STRIDE = 32, 8
_INTERVAL = 20  # milliseconds


def lines(random: np.random.Generator) -> Iterator[tuple[int, str | UsageError]]:
    """Endless rows: a time in milliseconds, and the channels."""
    yield 1, ",".join(("t", *_CHANNELS))
    now = number = 0
    while True:
        number += 1
        now += _INTERVAL + int(random.integers(-9, 10))
        chance = int(random.integers(400))
        now += 1000 if chance == 0 else _INTERVAL * (chance < 20)
        cells = [
            "" if random.integers(50) == 0
            else f"{random.integers(-(10**6), 10**6) / 10 ** int(random.integers(3, 9)):.9g}"
            for _ in _CHANNELS
        ]  # fmt: skip
        yield number + 1, ",".join((str(now), *cells))


def digest(count: int = COUNT) -> str:
    """SHA-256 of the standardized features of `count` windows."""
    random = np.random.default_rng(0)
    stream = SensorStream(_CHANNELS, _STRIDE, "t", float(_INTERVAL))
    shape = (_LENGTH, len(_CHANNELS))
    mean, deviation = random.integers(1, 300, (2, len(_CHANNELS))) / np.array([[100.0], [7.0]])
    features = ArrayFeatures(shape, mean, deviation, stream=stream)
    found = hashlib.sha256()
    windows = windows_of_lines(lines(random), "stdin", stream, _LENGTH)
    for _, window in zip(range(count), windows, strict=False):
        found.update(features.encode(window.value())["x"].astype("<f4").tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    print(digest())
