"""Process that saves cases with Keras 3: `python -m benchmarks.layers.keras3_files FOLDER NAMES`.

It never imports tf_keras: both in one process build models without weights. A case that Keras 3
cannot build or save has no file; the reason is printed on stderr.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from .cases import DATA, Case
from .join_cases import join_cases
from .layer_cases import layer_cases

SUFFIXES = (".keras", ".h5")
_LABELS = 3


def save(folder: Path, cases: Iterable[Case]) -> None:
    """Save the cases in a child process, which `os.environ` does not bind to tf_keras."""
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    command = [sys.executable, "-m", "benchmarks.layers.keras3_files", str(folder)]
    names = [case.name for case in cases if not case.only_tf_keras]
    subprocess.run([*command, *names], env=environment, capture_output=True, check=True)


def file_of(folder: Path, case: Case, suffix: str) -> Path:
    """Path of a case's file."""
    return folder / f"{case.name.replace(' ', '_').replace(',', '')}{suffix}"


def main(folder: Path, names: Iterable[str]) -> None:
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    cases = {case.name: case for case in (*layer_cases(), *join_cases())}
    for name in names:
        case = cases[name]
        kind = "int32" if case.data == "ids" else "float32"
        try:
            inputs = {"x": keras.Input(DATA[case.data], dtype=kind, name="x")}
            network = case.network(keras, inputs, _LABELS)
            for suffix in SUFFIXES:
                network.save(file_of(folder, case, suffix))
        except Exception as error:  # Keras raises many kinds
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
