"""Child process that proves a bundle on the interpreter of its users.

`python -m edge_experts.converters.verify.proof_process JOB` opens JOB/bundle with only the device
runtime: TensorFlow in the same process could provide its own kernels to the interpreter. It prints
the file that it opens, or the number of the answer, on stdout, and writes

    verified.json    the environment: interpreter, its version, python, machine
    costs.json       memory of each model, bytes, by path
    deployed.npz     for JOB/inputs.npz's examples, in their order: scores, the first expert, the
                     number of experts that answered, and the router's probability and entropy; of
                     generated text also its tokens, padded with -1
    found.npz        what the task measures beside, of the arrays in JOB/measured.npz
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import numpy as np

from edge_experts import features
from edge_experts.features import read_features
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import ExpertRuntime, interpreter
from edge_experts.runtime.drift.drift_monitor import entropies, first_probabilities
from edge_experts.runtime.memory import allocator, costs
from edge_experts.runtime.tasks import open_task


def main(job: Path) -> None:
    allocator.map_large_blocks()  # as the runtime does
    folder = job / "bundle"
    manifest = read_manifest(folder)
    made = read_features(folder, manifest.features)
    examples = made.unpack(np.load(job / "inputs.npz")["inputs"])
    task = open_task(manifest, made)
    arrays = {**features.encode_all(made, examples[:1]), **task.largest_state()}
    # The reader of the paths knows which file ended the process.
    found = costs.measure(
        folder,
        manifest,
        arrays,
        task,
        tell=lambda path: print(path, flush=True),
    )
    (job / "costs.json").write_text(json.dumps(found))
    on = {"python": platform.python_version(), "machine": platform.machine()}
    (job / "verified.json").write_text(json.dumps({**interpreter.description(), **on}))
    answers = []
    with ExpertRuntime(folder, strict=True) as runtime:
        router: list[tuple[float, float]] = []
        runtime.observer = lambda gate, _: router.append(_sureness(gate))
        for number, answer in enumerate(runtime.predict_many(examples)):
            if number % 200 == 0:
                print(f"answer {number}", flush=True)
            answers.append(answer)
        of_task = runtime.task.golden_arrays(answers)
        with np.load(job / "measured.npz") as given:
            found_beside = runtime.task.measured(dict(given), runtime.access)
    np.savez(job / "found.npz", **found_beside)
    np.savez(
        job / "deployed.npz",
        scores=np.array([answer.scores for answer in answers]),
        experts=np.array([answer.expert for answer in answers]),
        asked=np.array([len(answer.experts) for answer in answers]),
        router=np.array(router),
        **of_task,
    )


def _sureness(gate: np.ndarray | None) -> tuple[float, float]:
    """Return the router's probability of its first choice, and its entropy; 1 and 0 without one."""
    if gate is None:
        return 1.0, 0.0
    return float(first_probabilities(gate[None])[0]), float(entropies(gate[None])[0])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
