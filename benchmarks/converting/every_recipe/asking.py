"""Child process that measures bundles on one interpreter, without importing TensorFlow.

`python -m benchmarks.converting.every_recipe.asking JOB` measures the bundles JOB/*.bundle on the
test examples JOB/inputs.npz, with their labels' indices JOB/targets.npy. It prints its progress and
writes measured.json, for each bundle by its name {"right": correct answers, "p50_us": of an answer,
"time": as a ratio to int8's, "resident_bytes": of the router and the largest expert}, or
{"refused": the interpreter's reason}.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from edge_experts import features
from edge_experts.errors import ModelError
from edge_experts.features import read_features
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import ExpertRuntime
from edge_experts.runtime.memory import allocator, costs
from edge_experts.runtime.tasks import open_task

_TIMED, _ROUNDS = 32, 40  # inputs, and rounds in which each bundle answers them
_BESIDE = "int8"  # the recipe whose time is the unit of the ratios


def main(job: Path) -> None:
    allocator.map_large_blocks()  # as the runtime does
    folders = {path.stem: path for path in sorted(job.glob("*.bundle"))}
    targets = np.load(job / "targets.npy")
    made = read_features(folder := next(iter(folders.values())), read_manifest(folder).features)
    examples = made.unpack(np.load(job / "inputs.npz")["inputs"])
    found: dict[str, dict[str, Any]] = {}
    asked: dict[str, Callable[[Any], Any]] = {}
    for name, folder in folders.items():
        try:
            print(f"{name}, its memory", flush=True)
            manifest = read_manifest(folder)
            taken = costs.measure(
                folder,
                manifest,
                features.encode_all(made, examples[:1]),
                open_task(manifest, made),
            )
            experts = [taken[entry.path] for entry in manifest.experts]
            router = 0 if manifest.router is None else taken[manifest.router.path]
            print(f"{name}, {len(examples):,} answers", flush=True)
            asked[name] = ExpertRuntime(folder, strict=True).predict
            labels = [manifest.labels.index(asked[name](one).label) for one in examples]
        except ModelError as error:
            found[name] = {"refused": str(error)}
            asked.pop(name, None)
            continue
        right = int(np.sum(np.array(labels) == targets))
        found[name] = {"right": right, "resident_bytes": router + max(experts)}
    print("times, in turn", flush=True)
    times = _timed(asked, examples[:_TIMED])
    for name, medians in times.items():
        found[name]["p50_us"] = float(np.median(medians))
        if _BESIDE in times:
            found[name]["time"] = float(np.median(medians / times[_BESIDE]))
    (job / "measured.json").write_text(json.dumps(found))


def _timed(
    asked: Mapping[str, Callable[[Any], Any]], inputs: Sequence[Any]
) -> dict[str, np.ndarray]:
    """Compute the median microseconds of an answer, (rounds,), by bundle.

    All bundles take turns, in another order each time, so that a disturbance affects all equally.
    """
    order, shuffle = list(asked.items()), random.Random(0).shuffle
    medians: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(_ROUNDS):
        shuffle(order)
        for name, answer in order:
            single = []
            for example in inputs:
                start = perf_counter_ns()
                answer(example)
                single.append((perf_counter_ns() - start) / 1000)
            medians[name].append(float(np.median(single)))
    return {name: np.array(rounds) for name, rounds in medians.items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
