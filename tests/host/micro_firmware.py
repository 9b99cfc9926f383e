"""A bundle on an emulated Cortex-M4: its C source and TensorFlow Lite Micro in one firmware.

`python -m tests.host.micro_firmware CHECKOUT BUNDLE C_SOURCE BUILD` asks for the bundle's golden
examples and prints whether the outputs are those of tflite-runtime's reference kernels, and flash,
RAM and instructions, for docs/microcontrollers.md. CHECKOUT: see micro_library.py; the library is
kept in the folder BUILD. It needs arm-none-eabi-g++ and qemu-system-arm.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_experts.format.manifest import ROUTER, expert_path
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import golden

from . import micro_answers, micro_library
from .c_library import WARNINGS
from .compilers import compile_
from .cortex_m import Firmware, firmware

# Outputs are recorded by `edge_experts_read`, which every network's outputs go through.
_WRAPPED = "-Wl,--wrap=edge_experts_read"
_MAIN = """\
#include <stdio.h>
#include "edge_experts_tflm.hpp"
@INCLUDE@
extern "C" unsigned instructions(void);
static FILE *raw;
extern "C" void __real_edge_experts_read(const edge_experts_tensor *, const void *, float *);
extern "C" void __wrap_edge_experts_read(const edge_experts_tensor *tensor, const void *data,
                                         float *values) {
    fwrite(data, tensor->type == EDGE_EXPERTS_INT8 ? 1 : 4, tensor->numbers, raw);
    __real_edge_experts_read(tensor, data, values);
}
static double since(unsigned before) { /* the timer has 24 bits, of 40 instructions */
    const int steps = ((int)instructions() - (int)before) / 40;
    return 40.0 * (steps < 0 ? steps + (1 << 24) : steps);
}
alignas(16) static uint8_t arena[EDGE_EXPERTS_ARENA_BYTES];
static edge_experts::Runner runner(arena, sizeof arena);
static float x[EDGE_EXPERTS_INPUTS];
static @TYPE@ example[@NUMBERS@];
int main() {
    FILE *given = fopen("examples.bin", "rb"), *out = fopen("answers.bin", "wb");
    edge_experts_answer answer;
    double encoding = 0, asking = 0;
    int count = 0;
    raw = fopen("raw.bin", "wb");
    while (fread(example, sizeof example, 1, given) == 1) {
        unsigned before = instructions();
        @ENCODE@(example, x);
        encoding += since(before);
        before = instructions();
        if (runner.ask(x, &answer) != 0) return 1;
        asking += since(before);
        const int found[2] = {answer.expert, answer.label};
        fwrite(x, sizeof x, 1, out);
        fwrite(found, sizeof found, 1, out);
        fwrite(answer.scores, sizeof answer.scores, 1, out);
        count++;
    }
    fclose(out);
    fclose(raw);
    printf("instructions of features %.0f, of networks %.0f\\n", encoding / count, asking / count);
    return 0;
}
"""


@dataclass(frozen=True)
class Answers:
    """Answers of a firmware to all examples.

    Attributes:
        made: the firmware.
        told: what it prints.
        encoded: inputs of the networks, (examples, numbers) float32.
        experts, labels: indices, (examples,) int32.
        scores: (examples, labels) float32.
        raw: outputs of all networks that ran, in order, as they were in memory.
    """

    made: Firmware
    told: str
    encoded: np.ndarray
    experts: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    raw: bytes


def on_board(
    checkout: Path, source: Path, examples: np.ndarray, labels: int, build: Path
) -> Answers:
    """Ask a firmware of a C source.

    Args:
        examples: windows of samples (int16), or arrays (float32), (examples, ...).
        labels: number of them.
        build: folder for the library, which later calls use too.
    """
    folder = build / "firmware"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    is_sound = examples.dtype == np.int16
    main = _MAIN
    for name, text in {
        "INCLUDE": '#include "edge_experts_sound.h"' if is_sound else "",
        "TYPE": "int16_t" if is_sound else "float",
        "NUMBERS": str(examples[0].size),
        "ENCODE": "edge_experts_sound_encode" if is_sound else "edge_experts_encode",
    }.items():
        main = main.replace(f"@{name}@", text)
    archive = micro_library.library(
        checkout, build / "library", folder / "edge_experts_operators.hpp"
    )
    options = [*micro_library.FLAGS, *micro_library.includes(checkout), f"-I{folder}", _WRAPPED]
    made = firmware(folder, main, [*options, archive])
    (folder / "examples.bin").write_bytes(np.ascontiguousarray(examples).tobytes())
    told = made.run(seconds=1200)
    found = np.frombuffer((folder / "answers.bin").read_bytes(), "<i4")
    rows = found.reshape(len(examples), -1)
    inputs = rows.shape[1] - 2 - labels
    numbers = rows.view("<f4")
    return Answers(
        made, told, numbers[:, :inputs], rows[:, inputs], rows[:, inputs + 1],
        numbers[:, inputs + 2 :], (folder / "raw.bin").read_bytes(),
    )  # fmt: skip


def outputs(found: dict[str, np.ndarray], experts: np.ndarray) -> bytes:
    """Return what the reference kernels make of the examples, as `Answers.raw` has it.

    Args:
        found: by micro_answers.py.
        experts: that answer, (examples,).
    """
    rows = []
    for row, expert in enumerate(experts):
        files = [ROUTER, expert_path(expert)]
        every = [found[f"reference {file}"] for file in files if f"reference {file}" in found]
        rows += [answers[row].tobytes() for answers in every]
    return b"".join(rows)


def main(checkout: Path, bundle: Path, source: Path, build: Path) -> None:
    examples = np.stack(list(golden.read(bundle).inputs))
    labels = len(read_manifest(bundle).labels)
    found = on_board(checkout, source, examples, labels, build)
    np.savez(build / "examples.npz", examples=examples)
    library = ("-shared", "-fPIC", "-lm", "-o", build / "c.so")
    compile_("gcc", *WARNINGS, "-O2", *sorted(source.glob("*.c")), *library)
    subprocess.run(
        [sys.executable, "-m", micro_answers.__name__, str(bundle)]
        + [str(build / name) for name in ("c.so", "examples.npz", "answers.npz")],
        check=True,
    )
    wanted = dict(np.load(build / "answers.npz"))
    print(f"{len(examples)} examples")
    print("the same bits of features:", np.array_equal(found.encoded, wanted["encoded"]))
    print("the same outputs:", found.raw == outputs(wanted, found.experts))
    print(f"the same label as the runtime: {np.mean(found.labels == wanted['labels']):.3f}")
    for kind, names in _KINDS.items():
        sizes = [size for name, (size, _) in found.made.sizes.items() if re.fullmatch(names, name)]
        print(f"flash of {kind}: {sum(sizes):,} bytes")
    flash, ram = found.made.total
    print(f"flash of the firmware: {flash:,} bytes; static RAM: {ram:,} bytes\n{found.told}")


_KINDS = {
    "networks": r"router\.c|expert_\d+\.c",
    "tables": "edge_experts_tables.c",
    "code of features and dispatch": r"edge_experts(_sound|_windows)?\.c",
}

if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
