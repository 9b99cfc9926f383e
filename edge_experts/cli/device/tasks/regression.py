"""Regression: values, and their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import DataError
from ..examples import answers, ending
from . import Evaluation

if TYPE_CHECKING:
    from ....datasets import Dataset, Split
    from ....format.manifest import Manifest
    from ....runtime import Answer, ExpertRuntime
    from ....runtime.installed import InstalledRuntime
    from ..watch import Watch

OPTIONS = {"--min-r2": "r2", "--frames": "", "--stream": ""}


def run(
    runtime: ExpertRuntime | InstalledRuntime,
    texts: Sequence[str] | None,
    path: Path | None,
    options: Mapping[str, Any],
    watch: Watch,
    *,
    json: bool,
) -> None:
    frames, stream = options.get("--frames"), bool(options.get("--stream"))
    for name, answer in answers(runtime, texts, path, watch, frames, stream=stream):
        print(_json(answer, watch) if json else _line(answer, name), flush=True)
    watch.check_drift()


def _json(answer: Answer, watch: Watch) -> str:
    from json import dumps

    from ....runtime.tasks.regression import Estimate, plain

    assert isinstance(answer, Estimate)
    content = {
        "schema_version": "1.0",
        "values": {name: plain(value) for name, value in answer.values.items()},
        "expert": answer.expert,
        "experts": answer.experts,
        **ending(answer, watch),
    }
    return dumps(content, ensure_ascii=False)


def _line(answer: Answer, name: str) -> str:
    experts = "expert" if len(answer.experts) == 1 else "experts"
    return f"{answer.text}\t{experts} {', '.join(map(str, answer.experts))}\t{name}"


def unknown_labels(dataset: Dataset, manifest: Manifest) -> set[str]:
    """Outputs of the data that the bundle does not have."""
    return set(dataset.labels) - set(manifest.labels)


def evaluate(
    runtime: ExpertRuntime, dataset: Dataset, split: Split, *, name: str, show: int, seed: int
) -> Evaluation:
    import numpy as np

    from ....datasets.targets.regression_scores import scores
    from ....progress import Progress
    from ....runtime.tasks.regression import Estimate

    manifest, count = runtime.manifest, len(split)
    missing = [label for label in manifest.labels if label not in dataset.labels]
    if missing:
        # The outputs determine the splits: with other outputs, training examples could be
        # evaluated.
        raise DataError(
            f"{dataset.name}: has no target {', '.join(missing)}, which the bundle predicts; add "
            f"the column 'target:{missing[0]}'"
        )
    predicted = np.zeros((count, len(dataset.labels)))
    used = np.zeros((count, len(manifest.experts)), bool)
    with Progress(f"Evaluating on {count:,} examples", 10) as progress:
        for row, example in enumerate(split.inputs):
            answer = runtime.predict(example)
            assert isinstance(answer, Estimate)
            values = answer.values
            predicted[row] = [values[label] for label in dataset.labels]
            used[row, list(answer.experts)] = True
            if (row + 1) * 10 // count > row * 10 // count:
                progress.step()
    found: dict[str, Any] = {
        **scores(predicted, split.targets, dataset.labels),
        "examples": count,
        "expert_usage": [round(float(share), 4) for share in used.mean(axis=0)],
    }
    lines = [f"{_scores(found)}, on {count:,} examples of {dataset.name}, {name}"]
    lines += [f"{label}: {_scores(one)}" for label, one in found.get("outputs", {}).items()]
    if manifest.combine == "top":
        usage = " ".join(f"{share:.1%}" for share in found["expert_usage"])
        lines.append(f"experts used {usage}")
    if manifest.second_below is not None:
        found["asked_second"] = round(float(np.mean(used.sum(axis=1) > 1)), 6)
        lines.append(f"routed to a second expert too {found['asked_second']:.1%}")
    return Evaluation(found, lines)


def _scores(found: dict[str, Any]) -> str:
    return f"R2 {found['r2']:.4f}, MAE {found['mae']:.5g}, RMSE {found['rmse']:.5g}"
