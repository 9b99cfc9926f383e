"""Generated rows of sensors with odd times, and the windows that the runtime cuts from them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edge_experts.features import ArrayFeatures
from edge_experts.features.sensor_stream import SensorStream, WindowCutter

# Rows, channels, stride, and time between rows; 0 for rows without times.
SHAPES = ((16, 3, 8, 0.02), (5, 1, 1, 1.0), (12, 2, 30, 0.0), (7, 4, 7, 3600.0), (9, 2, 2, 0.1))
Rows = list[tuple[np.ndarray, float]]
_CHANCE = [0.5, 0.42, 0.06, 0.02]  # of the kinds of steps below


def stream_features(rows: int, channels: int, stride: int, interval: float) -> ArrayFeatures:
    random = np.random.default_rng(rows)
    names = tuple(f"channel {place}" for place in range(channels))
    stream = SensorStream(names, stride, "t" if interval else None, interval or None)
    scales = random.normal(0, 2, channels), random.uniform(0.1, 9, channels)
    return ArrayFeatures((rows, channels), *scales, stream=stream)


def odd_rows(features: ArrayFeatures, windows: int, random: np.random.Generator) -> Rows:
    """Rows for about so many windows; with times: unsteady, missing, twice, late, set back."""
    stream = features.stream
    assert stream is not None
    channels = len(stream.channels)
    count = features.settings["shape"][0] + windows * stream.stride
    interval, time, found = stream.interval or 1.0, 1e6 * random.random(), Rows()
    for _ in range(count):
        step = random.choice([1, 1 + random.normal(0, 0.15), random.uniform(0, 3.3), 0], p=_CHANCE)
        time += interval * step
        values = random.normal(0, 3, channels).astype(np.float32)
        values[random.random(channels) < 0.01] = np.nan
        found.append((values, time))
        if random.random() < 0.002:
            time += interval * random.choice([-10, 50])
    return found


def windows_of(features: ArrayFeatures, rows: Rows) -> Iterator[np.ndarray]:
    """Windows of `run --stream`: a time that is set back begins a new one."""
    assert features.stream is not None
    cutter: WindowCutter[None] = WindowCutter(features.stream, features.settings["shape"][0])
    for values, time in rows:
        try:
            for window in cutter.push(values, None, time):
                yield window.rows
        except ValueError:
            cutter.restart()
