"""Windows of sensors in C: the bits of the runtime's, here and on an emulated Cortex-M4."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_experts.features import ArrayFeatures

from ...sensor_rows import SHAPES, Rows, odd_rows, stream_features, windows_of
from ..c_library import compile_as_cpp, library, write_features
from ..cortex_m import firmware

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


def _wanted(features: ArrayFeatures, rows: Rows) -> list[bytes]:
    return [features.encode(window)["x"].tobytes() for window in windows_of(features, rows)]


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
    features = stream_features(*shape)
    rows = odd_rows(features, 400, np.random.default_rng(1))
    wanted = _wanted(features, rows)
    assert len(wanted) >= 200
    assert list(_in_c(library(tmp_path / "c", features), features, rows)) == wanted


def test_rows_without_times_are_taken_as_they_are(tmp_path: Path) -> None:
    features = stream_features(*SHAPES[0])
    rows = [(values, np.nan) for values, _ in odd_rows(features, 20, np.random.default_rng(2))]
    plain = stream_features(*SHAPES[0][:3], 0.0)
    assert list(_in_c(library(tmp_path / "c", features), features, rows)) == _wanted(plain, rows)


def test_a_time_that_is_set_back_is_told(tmp_path: Path) -> None:
    c = library(tmp_path / "c", stream_features(*SHAPES[0]))
    state, row = ctypes.create_string_buffer(2**12), (ctypes.c_float * 3)()
    for time, wanted in ((5.0, 0), (5.0, 0), (4.0, 1), (4.0, 0)):
        assert c.edge_experts_push(state, row, ctypes.c_double(time)) == wanted
        assert c.edge_experts_next(state, (ctypes.c_float * 48)()) == 0


@pytest.mark.parametrize("shape", SHAPES[:2])
def test_an_emulated_cortex_m4_gives_the_same_bits(
    shape: tuple[int, int, int, float], tmp_path: Path
) -> None:
    features = stream_features(*shape)
    rows = odd_rows(features, 60, np.random.default_rng(3))
    folder = tmp_path / "firmware"
    write_features(folder, features)
    compile_as_cpp(folder)
    made = firmware(folder, _MAIN)
    content = b"".join(np.float64(time).tobytes() + values.tobytes() for values, time in rows)
    (folder / "in.bin").write_bytes(content)
    made.run()
    wanted = b"".join(_wanted(features, rows))
    assert len(wanted) > 30 * features.encode(np.zeros(features.settings["shape"]))["x"].nbytes
    assert (folder / "out.bin").read_bytes() == wanted
