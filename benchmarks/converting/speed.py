"""How long conversion takes: `python -m benchmarks.converting.speed [--experts 64]`.

Experts with random weights, of about 50 kB in int8, are converted by one warm worker process and by
two, in turns, and the whole `convert` is run twice to see what the cache saves.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from edge_experts.converters import convert
from edge_experts.converters.network_files import File, Making
from edge_experts.converters.process.cache import Cache

from edge_experts import run_folder
from edge_experts.datasets import Split
from edge_experts.features import ArrayFeatures, encode_all

_PIXELS, _LABELS, _UNITS = 784, 10, 60  # 47,650 weights and biases


def main(experts: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["EDGE_EXPERTS_CACHE"] = str(folder / "cache")
        run = folder / "random.run"
        # TensorFlow stays out of this process, as it does for users of `convert`.
        code = f"from {__name__ if __name__ != '__main__' else _NAME} import write_run as w; "
        code += f"from pathlib import Path; w(Path({str(run)!r}), {experts})"
        subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)
        times: dict[int, list[float]] = {1: [], 2: []}
        for number in range(rounds):
            for processes in times:
                job = folder / f"job-{number}-{processes}"
                job.mkdir()
                times[processes].append(_warm_seconds(run, job, processes))
        ratio = statistics.median(one / two for one, two in zip(times[1], times[2], strict=True))
        medians = {processes: statistics.median(times[processes]) for processes in times}
        first, again = (_whole_seconds(run, folder / name) for name in ("first", "again"))
    print(f"{experts} experts, {rounds} rounds, medians")
    print(f"one warm worker   {medians[1]:7.1f} s")
    print(f"two warm workers  {medians[2]:7.1f} s, {ratio:.2f} times faster")
    print(f"convert           {first:7.1f} s")
    print(f"convert again     {again:7.1f} s, nothing changed")


_NAME = "benchmarks.converting.speed"


def _warm_seconds(run: Path, job: Path, processes: int) -> float:
    description = run_folder.read_run(run)
    features = run_folder.read_features(run, description)
    examples = run_folder.read_examples(run, features)
    making = Making(
        job,
        run,
        {"layout": "split", "top_k": 1, "second": False},
        encode_all(features, examples["train"].inputs),
        encode_all(features, examples["validation"].inputs),
        networks=description.experts + 1,
        processes=processes,
        kept=Cache(None),
    )
    with making:
        making.prepare()
        # Each worker loads the model and meets the converter once before time is taken.
        making.make([File(path, "float32") for path in making.paths], "Warming up")
        start = perf_counter()
        making.make([File(path, "int8") for path in making.paths])
        return perf_counter() - start


def _whole_seconds(run: Path, out: Path) -> float:
    start = perf_counter()
    convert(run, out, max_accuracy_drop=100)
    return perf_counter() - start


def write_run(out: Path, experts: int) -> None:
    """A run folder of experts that have learned nothing."""
    from edge_experts.training import SparseExperts  # sets up Keras before TensorFlow is imported

    import tf_keras  # isort: skip

    tf_keras.utils.set_random_seed(0)

    def network(units: int, outputs: int) -> Any:
        inputs = {"x": tf_keras.Input((_PIXELS,), name="x")}
        hidden = tf_keras.layers.Dense(units, "relu")(inputs["x"])
        return tf_keras.Model(inputs, tf_keras.layers.Dense(outputs)(hidden))

    model = SparseExperts(network(8, experts), [network(_UNITS, _LABELS) for _ in range(experts)])
    out.mkdir()
    model.save(out / run_folder.MODEL)
    random = np.random.default_rng(0)
    inputs = random.random((600, _PIXELS), np.float32)
    features = ArrayFeatures.fit(inputs, channels=False)
    run_folder.write_features(out, features)
    split = Split(list(inputs), random.integers(0, _LABELS, len(inputs)))
    run_folder.write_examples(out, features, dict.fromkeys(("train", "validation", "test"), split))
    run_folder.Run(
        name="random",
        task="classification",
        labels=tuple(map(str, range(_LABELS))),
        combine="top",
        top_k=1,
        experts=experts,
        origin="random weights",
        feature_kind=features.kind,
        feature_settings=features.settings,
        config={"seed": 0},
        metrics={"test_accuracy": 1 / _LABELS},
        versions={},
    ).write(out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experts", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    main(arguments.experts, arguments.rounds)
