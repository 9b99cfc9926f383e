"""Figures of docs/microcontrollers.md: how many answers TensorFlow Lite Micro gives alike.

`python -m tests.host.micro_figures DATA BUNDLE C_SOURCE` asks for the first 1,000 test examples of
a data set of arrays; it needs gcc and tflite-micro.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from edge_experts import datasets

from . import micro_answers

_EXAMPLES = 1000


def main(data: str, bundle: Path, source: Path) -> None:
    examples = datasets.load(data).test.inputs[:_EXAMPLES]
    with tempfile.TemporaryDirectory() as temporary:
        job = Path(temporary)
        files = sorted(map(str, source.glob("*.c")))
        library = ["-shared", "-fPIC", "-lm", "-o", str(job / "c.so")]
        subprocess.run(["gcc", "-std=c99", "-O2", *files, *library], check=True)
        np.savez(job / "examples.npz", examples=np.asarray(examples, np.float32))
        micro_answers.main(bundle, job / "c.so", job / "examples.npz", job / "out.npz")
        found = dict(np.load(job / "out.npz"))
    print("the same expert and label:", np.mean(_same(found, "experts") & _same(found, "labels")))
    for name in (name for name in found if name.startswith("micro ")):
        path = name.removeprefix("micro ")
        equal = [
            (found[name] == found[f"{kernels} {path}"]).all(axis=1).mean()
            for kernels in ("reference", "lite")
        ]
        print(f"{path}: equal to reference kernels {equal[0]:.3f}, to default {equal[1]:.3f}")


def _same(found: dict[str, np.ndarray], what: str) -> np.ndarray:
    same: np.ndarray = found[what] == found[f"c_{what}"]
    return same


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
