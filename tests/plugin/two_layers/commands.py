"""Commands of the task: states as lines or JSON, and how far they are from what is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_experts.cli.device.examples import given
from edge_experts.cli.device.tasks import Evaluation

if TYPE_CHECKING:
    from edge_experts.cli.device.watch import Watch
    from edge_experts.datasets import Dataset, Split
    from edge_experts.format.manifest import Manifest
    from edge_experts.runtime import ExpertRuntime
    from edge_experts.runtime.installed import InstalledRuntime

OPTIONS: Mapping[str, str] = {}


def run(
    runtime: ExpertRuntime | InstalledRuntime,
    texts: Sequence[str] | None,
    path: Path | None,
    options: Mapping[str, Any],
    watch: Watch,
    *,
    json: bool,
) -> None:
    for name, example in given(texts, path, runtime.features):
        answer = runtime.predict(example)
        watch.look(answer)
        state = [round(float(value), 6) for value in answer.scores]
        content: dict[str, Any] = {"schema_version": "1.0", "state": state}
        content |= {"experts": answer.experts, "degraded": answer.degraded}
        print(dumps(content) if json else f"{answer.text}\t{name}", flush=True)


def unknown_labels(dataset: Dataset, manifest: Manifest) -> set[str]:
    return set()


def evaluate(
    runtime: ExpertRuntime, dataset: Dataset, split: Split, *, name: str, show: int, seed: int
) -> Evaluation:
    states = np.array([answer.scores for answer in runtime.predict_batch(split.inputs)])
    off = float(np.abs(states - split.targets).mean())
    line = f"off by {off:.6f} on {len(split)} examples of {dataset.name}, {name}"
    return Evaluation({"off": round(off, 6), "examples": len(split)}, [line])
