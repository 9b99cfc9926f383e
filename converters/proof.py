"""The child process that proves a bundle on the interpreter which it will meet.

`python -m edge_experts.converters.proof JOB` opens JOB/bundle with the device runtime and nothing
else: TensorFlow in the same process could lend the interpreter its own kernels. It says on stdout
which file it opens, or at which answer it is, and leaves

    verified.json    on what: interpreter, its version, python, machine
    costs.json       what each model takes in memory, bytes, by path
    deployed.npz     for JOB/inputs.npz's examples, in their order: scores, the first expert, and
                     how many were asked
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import numpy as np

from edge_experts import features
from edge_experts.benchmarking.memory import resident_bytes
from edge_experts.bundle import TRUNK, FileEntry, Manifest, read_manifest
from edge_experts.runtime import ExpertRuntime, allocator, interpreter
from edge_experts.runtime.interpreter import Model
from edge_experts.runtime.storage import read_checked, read_features


def main(job: Path) -> None:
    allocator.map_large_blocks()  # as the runtime does
    folder = job / "bundle"
    manifest = read_manifest(folder)
    made = read_features(folder, manifest.features)
    examples = made.unpack(np.load(job / "inputs.npz")["inputs"])
    found = costs(folder, manifest, features.encode_all(made, examples[:1]))
    (job / "costs.json").write_text(json.dumps(found))
    on = {"python": platform.python_version(), "machine": platform.machine()}
    (job / "verified.json").write_text(json.dumps({**interpreter.description(), **on}))
    answers = []
    with ExpertRuntime(folder) as runtime:
        for number, answer in enumerate(runtime.predict_many(examples)):
            if number % 200 == 0:
                print(f"answer {number}", flush=True)
            answers.append(answer)
    np.savez(
        job / "deployed.npz",
        scores=np.array([answer.scores for answer in answers]),
        experts=np.array([answer.expert for answer in answers]),
        asked=np.array([len(answer.experts) for answer in answers]),
    )


def costs(folder: Path, manifest: Manifest, arrays: dict[str, np.ndarray]) -> dict[str, int]:
    """What each model of a bundle takes in memory, bytes, by path; `arrays` are of one input."""
    entries = [entry for entry in (manifest.router, *manifest.experts) if entry is not None]
    print(entries[0].path, flush=True)  # whoever reads this knows which file ended the process
    if manifest.router is not None:
        router = Model(read_checked(folder, manifest.router), "router")
        router(arrays)
        if router.has_trunk:
            arrays = {**arrays, TRUNK: router.trunk()}
    _cost(folder, entries[0], arrays)  # the interpreter's own start is no model's cost
    return {entry.path: _cost(folder, entry, arrays) for entry in entries}


def _cost(folder: Path, entry: FileEntry, arrays: dict[str, np.ndarray]) -> int:
    """What a model takes in memory, measured; at least its file twice.

    tflite-runtime 2.14 adds a copy of int8 weights at the second inference, and XNNPACK one of
    float weights, so a small file's cost hidden in memory that is free already would be too low.
    """
    print(entry.path, flush=True)
    allocator.return_freed_memory()
    before = resident_bytes()
    model = Model(read_checked(folder, entry), str(folder / entry.path))
    for _ in range(2):
        model(arrays)
    return max(2 * entry.bytes, resident_bytes() - before)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
