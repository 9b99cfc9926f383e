"""Windows of sensors in C: the bits of the runtime's, on this machine and on an emulated Cortex-M4."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_experts.features import ArrayFeatures
from edge_experts.features.sensor_stream import SensorStream, WindowCutter

from ..c_library import library, write_features
from ..cortex_m import firmware

# Rows, channels, stride, and time between rows; 0 for rows without times.
SHAPES = ((16, 3, 8, 0.02), (5, 1, 1, 1.0), (12, 2, 30, 0.0), (7, 4, 7, 3600.0), (9, 2, 2, 0.1))
Rows = list[tuple[np.ndarray, float]]
_CHANCE = [0.5, 0.42, 0.06, 0.02]  # of the kinds of steps below
_MAIN = """\
#include <stdio.h>
#include "edge_experts_windows.h"
static edge_experts_windows windows;
int main(void) {
    FILE *in = fopen("in.bin", "rb"), *out = fopen("out.bin", "wb");
    static float row[EDGE_EXPERTS_CHANNELS], x[EDGE_EXPERTS_INPUTS];
    double time;
    while (fread(&time, sizeof time, 1, in) == 1 && fread(row, sizeof row, 1, in) == 1) {
        edge_experts_push(&windows, row, time);
        while (edge_experts_next(&windows, x)) fwrite(x, sizeof x, 1, out);
    }
    return fclose(out);
}
"""


def _features(rows: int, channels: int, stride: int, interval: float) -> ArrayFeatures:
    random = np.random.default_rng(rows)
    names = tuple(f"channel {place}" for place in range(channels))
    stream = SensorStream(names, stride, "t" if interval else None, interval or None)
    scales = random.normal(0, 2, channels), random.uniform(0.1, 9, channels)
    return ArrayFeatures((rows, channels), *scales, stream=stream)


def _rows(features: ArrayFeatures, windows: int, random: np.random.Generator) -> Rows:
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


def _wanted(features: ArrayFeatures, rows: Rows) -> Iterator[bytes]:
    """Windows as `run --stream` encodes them: a time that is set back begins a new one."""
    assert features.stream is not None
    cutter: WindowCutter[None] = WindowCutter(features.stream, features.settings["shape"][0])
    for values, time in rows:
        try:
            for window in cutter.push(values, None, time):
                yield features.encode(window.rows)["x"].tobytes()
        except ValueError:
            cutter.restart()


def _in_c(c: ctypes.CDLL, features: ArrayFeatures, rows: Rows) -> Iterator[bytes]:
    state = ctypes.create_string_buffer(2**16)
    x = np.empty(features.settings["shape"], np.float32)
    for values, time in rows:
        pointer = values.ctypes.data_as(ctypes.c_void_p)
        c.edge_experts_push(state, pointer, ctypes.c_double(time))
        while c.edge_experts_next(state, x.ctypes.data_as(ctypes.c_void_p)):
            yield x.tobytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_two_hundred_windows_have_the_bits_of_the_runtimes(
    shape: tuple[int, int, int, float], tmp_path: Path
) -> None:
    features = _features(*shape)
    rows = _rows(features, 400, np.random.default_rng(1))
    wanted = list(_wanted(features, rows))
    assert len(wanted) >= 200
    assert list(_in_c(library(tmp_path / "c", features), features, rows)) == wanted


def test_rows_without_times_are_taken_as_they_are(tmp_path: Path) -> None:
    features = _features(*SHAPES[0])
    rows = [(values, np.nan) for values, _ in _rows(features, 20, np.random.default_rng(2))]
    plain = _features(*SHAPES[0][:3], 0.0)
    assert list(_in_c(library(tmp_path / "c", features), features, rows)) == list(
        _wanted(plain, rows)
    )


def test_a_time_that_is_set_back_is_told(tmp_path: Path) -> None:
    c = library(tmp_path / "c", _features(*SHAPES[0]))
    state, row = ctypes.create_string_buffer(2**12), (ctypes.c_float * 3)()
    for time, wanted in ((5.0, 0), (5.0, 0), (4.0, 1), (4.0, 0)):
        assert c.edge_experts_push(state, row, ctypes.c_double(time)) == wanted
        assert c.edge_experts_next(state, (ctypes.c_float * 48)()) == 0


@pytest.mark.parametrize("shape", SHAPES[:2])
def test_an_emulated_cortex_m4_gives_the_same_bits(
    shape: tuple[int, int, int, float], tmp_path: Path
) -> None:
    features = _features(*shape)
    rows = _rows(features, 60, np.random.default_rng(3))
    folder = tmp_path / "firmware"
    write_features(folder, features)
    made = firmware(folder, _MAIN)
    content = b"".join(np.float64(time).tobytes() + values.tobytes() for values, time in rows)
    (folder / "in.bin").write_bytes(content)
    made.run()
    wanted = b"".join(_wanted(features, rows))
    assert len(wanted) > 30 * features.encode(np.zeros(features.settings["shape"]))["x"].nbytes
    assert (folder / "out.bin").read_bytes() == wanted
