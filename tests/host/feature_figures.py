"""Figures of docs/microcontrollers.md: flash, RAM and instructions of features on a Cortex-M4.

`python -m tests.host.feature_figures` needs arm-none-eabi-gcc and qemu-system-arm.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from edge_experts.features import ArrayFeatures, Features, SoundFeatures
from edge_experts.features.log_mel import LogMel
from edge_experts.features.sensor_stream import SensorStream

from .c_library import write_features
from .cortex_m import firmware

_SOUND = """\
#include <stdio.h>
#include "edge_experts_sound.h"
unsigned instructions(void);
static edge_experts_listener listener;
static float x[EDGE_EXPERTS_INPUTS];
int main(void) {
    unsigned before, random = 1;
    int place;
    edge_experts_listen(&listener);
    before = instructions();
    for (place = 0; place < EDGE_EXPERTS_RATE / 10; place++) {
        random = random * 1664525u + 1013904223u;
        edge_experts_hear(&listener, (int16_t)(random >> 16), x);
    }
    printf("instructions a second of sound: %u\\n", 10 * (instructions() - before));
    printf("RAM of a listener: %u bytes\\n", (unsigned)sizeof listener);
    return 0;
}
"""
_SENSOR = """\
#include <stdio.h>
#include "edge_experts_windows.h"
unsigned instructions(void);
static edge_experts_windows windows;
static float x[EDGE_EXPERTS_INPUTS], row[EDGE_EXPERTS_CHANNELS];
int main(void) {
    unsigned before = instructions();
    int place, made = 0;
    for (place = 0; place < 1024; place++) {
        row[0] = (float)place;
        edge_experts_push(&windows, row, place * EDGE_EXPERTS_INTERVAL * 1.01);
        while (edge_experts_next(&windows, x)) made++;
    }
    printf("instructions a window: %u\\n", (instructions() - before) / made);
    printf("RAM of the windows: %u bytes\\n", (unsigned)sizeof windows);
    return 0;
}
"""


def _print(name: str, features: Features, main: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "firmware"
        write_features(folder, features)
        made = firmware(folder, main)
        flash = {one: size for one, (size, _) in made.sizes.items() if one not in _OTHERS}
        code = sum(size for one, size in flash.items() if one != "tables.c")
        print(f"{name}: flash of code {code:,} bytes, of tables {flash['tables.c']:,}")
        work = sum(ram for one, (_, ram) in made.sizes.items() if one not in _OTHERS)
        print(f"RAM beside: {work:,} bytes\n{made.run()}")


_OTHERS = ("main.c", "start.c")

if __name__ == "__main__":
    for rate in (8000, 16_000):
        log_mel = LogMel.of(rate, rate)
        scales = np.zeros(log_mel.bands), np.ones(log_mel.bands)
        _print(f"sound of {rate:,} Hz, windows of 1 s", SoundFeatures(log_mel, *scales), _SOUND)
    stream = SensorStream(("ax", "ay", "az"), 64, "t", 0.02)
    features = ArrayFeatures((128, 3), np.zeros(3), np.ones(3), stream=stream)
    _print("128 rows of 3 channels every 64", features, _SENSOR)
