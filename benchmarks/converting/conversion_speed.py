"""Duration of conversion, by one warm worker process and by two, in turns.

The experts have random weights and take about 50 kB in int8. The whole `convert` runs twice, which
shows the effect of the cache.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from edge_experts.converters import convert
from edge_experts.converters.network_files import File, Making, Workload
from edge_experts.converters.process.cache import Cache
from edge_experts.converters.process.order import Order

from edge_experts import run_folder, subprocesses
from edge_experts.datasets import Split
from edge_experts.features import ArrayFeatures, encode_all

_PIXELS, _LABELS, _UNITS = 784, 10, 60  # 47,650 weights and biases


@dataclass(frozen=True)
class ConversionTimes:
    """Median seconds of the rounds, and seconds of the whole `convert`, twice."""

    experts: int
    rounds: int
    one_worker_s: float
    two_workers_s: float
    speedup: float  # of two workers, the median of the rounds' ratios
    convert_s: float
    convert_again_s: float  # with an unchanged run

    def as_table(self) -> list[list[str]]:
        """Build one row for each way to convert."""
        return [
            ["conversion", "s", "times faster"],
            ["one warm worker", f"{self.one_worker_s:.1f}", ""],
            ["two warm workers", f"{self.two_workers_s:.1f}", f"{self.speedup:.2f}"],
            ["convert", f"{self.convert_s:.1f}", ""],
            ["convert again, nothing changed", f"{self.convert_again_s:.1f}", ""],
        ]


def measure(experts: int, rounds: int) -> ConversionTimes:
    """Convert random experts by one worker and by two, in turns; then convert the run twice."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["EDGE_EXPERTS_CACHE"] = str(folder / "cache")
        run = folder / "random.run"
        # TensorFlow stays out of this process, as it does for users of `convert`.
        subprocesses.call(write_run, run, experts)
        times: dict[int, list[float]] = {1: [], 2: []}
        for number in range(rounds):
            for processes in times:
                job = folder / f"job-{number}-{processes}"
                job.mkdir()
                times[processes].append(_warm_seconds(run, job, processes))
        first, again = (_whole_seconds(run, folder / name) for name in ("first", "again"))
    ratios = [one / two for one, two in zip(times[1], times[2], strict=True)]
    return ConversionTimes(
        experts=experts,
        rounds=rounds,
        one_worker_s=statistics.median(times[1]),
        two_workers_s=statistics.median(times[2]),
        speedup=statistics.median(ratios),
        convert_s=first,
        convert_again_s=again,
    )


def _warm_seconds(run: Path, job: Path, processes: int) -> float:
    description = run_folder.read_run(run)
    features = run_folder.read_features(run, description)
    examples = run_folder.read_examples(run, features)
    making = Making(
        job,
        run,
        Workload(
            Order(),
            encode_all(features, examples["train"].inputs),
            encode_all(features, examples["validation"].inputs),
            networks=description.experts + 1,
        ),
        processes=processes,
        kept=Cache(None),
    )
    with making:
        making.prepare()
        # Each worker loads the model and uses the converter once before the measurement.
        making.make([File(path, "float32") for path in making.paths], "Warming up")
        start = perf_counter()
        making.make([File(path, "int8") for path in making.paths])
        return perf_counter() - start


def _whole_seconds(run: Path, out: Path) -> float:
    start = perf_counter()
    convert(run, out, max_accuracy_drop=100)
    return perf_counter() - start


def write_run(out: Path, experts: int) -> None:
    """Write a run folder of untrained experts."""
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
