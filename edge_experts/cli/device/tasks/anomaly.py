"""Anomaly detection: scores, regimes and odd features; AUROC and rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..examples import answers, ending
from . import Evaluation

if TYPE_CHECKING:
    from ....datasets import Dataset, Split
    from ....format.manifest import Manifest
    from ....runtime import Answer, ExpertRuntime
    from ....runtime.installed import InstalledRuntime
    from ..watch import Watch

OPTIONS = {"--min-auroc": "auroc", "--stream": ""}


def run(
    runtime: ExpertRuntime | InstalledRuntime,
    texts: Sequence[str] | None,
    path: Path | None,
    options: Mapping[str, Any],
    watch: Watch,
    *,
    json: bool,
) -> None:
    stream = bool(options.get("--stream"))
    for name, answer in answers(runtime, texts, path, watch, stream=stream):
        print(_json(answer, watch) if json else _line(answer, name), flush=True)
    watch.check_drift()


def _json(answer: Answer, watch: Watch) -> str:
    from json import dumps

    from ....runtime.tasks.anomaly import Deviation
    from ....runtime.tasks.regression import plain

    assert isinstance(answer, Deviation)
    content = {
        "schema_version": "1.0",
        "anomalous": answer.anomalous,
        "score": plain(answer.score),
        "regime": answer.regime,
        "odd": [
            {
                "feature": one.feature,
                "value": plain(one.value),
                "expected": plain(one.expected),
                "share": one.share,
            }
            for one in answer.odd
        ],
        "expert": answer.expert,
        "experts": answer.experts,
        **ending(answer, watch),
    }
    return dumps(content, ensure_ascii=False)


def _line(answer: Answer, name: str) -> str:
    from ....runtime.tasks.anomaly import Deviation

    assert isinstance(answer, Deviation)
    odd = ", ".join(
        f"{one.feature} {one.value:.5g} (expected {one.expected:.5g})" for one in answer.odd
    )
    return f"{answer.text}\t{answer.score:.3f}\tregime {answer.regime}\t{odd}\t{name}"


def unknown_labels(dataset: Dataset, manifest: Manifest) -> set[str]:
    """None: the labels of the data are normal and anomalous."""
    return set()


def evaluate(
    runtime: ExpertRuntime, dataset: Dataset, split: Split, *, name: str, show: int, seed: int
) -> Evaluation:
    import numpy as np

    from ....datasets.targets.anomaly_scores import detection_scores
    from ....progress import Progress

    manifest, count = runtime.manifest, len(split)
    scores, regimes = np.zeros(count), np.zeros(count, int)
    with Progress(f"Evaluating on {count:,} examples", 10) as progress:
        for row, example in enumerate(split.inputs):
            answer = runtime.predict(example)
            scores[row], regimes[row] = answer.score, answer.expert
            if (row + 1) * 10 // count > row * 10 // count:
                progress.step()
    anomalous = np.asarray(split.targets) > 0
    usage = np.bincount(regimes, minlength=len(manifest.experts)) / count
    found: dict[str, Any] = {
        **detection_scores(scores, anomalous),
        "examples": count,
        "anomalous": int(anomalous.sum()),
        "stated_false_alarms": manifest.provenance.get("false_alarms"),
        "regimes": [
            {
                "regime": regime,
                "share": round(float(usage[regime]), 4),
                **detection_scores(scores[own], anomalous[own]),
            }
            for regime in range(len(manifest.experts))
            for own in [regimes == regime]
        ],
        "expert_usage": [round(float(share), 4) for share in usage],
    }
    unknown = f"{dataset.name} has no anomalous examples or no normal ones; give it both"
    return Evaluation(found, _lines(found, f"{dataset.name}, {name}"), unknown)


def _lines(found: Mapping[str, Any], where: str) -> list[str]:
    def told(scores: Mapping[str, Any]) -> str:
        area, detected, alarms = (
            scores[key] for key in ("auroc", "detection_rate", "false_alarm_rate")
        )
        parts = [] if area is None else [f"AUROC {area:.4f}"]
        parts += [] if detected is None else [f"{detected:.1%} of the anomalous ones found"]
        parts += [] if alarms is None else [f"false alarms on {alarms:.2%} of the normal ones"]
        return ", ".join(parts) or "no examples"

    stated = found["stated_false_alarms"]
    lines = [
        f"{told(found)}{'' if stated is None else f' ({stated:g} was stated)'}, on "
        f"{found['examples']:,} examples of {where}, {found['anomalous']:,} of them anomalous"
    ]
    if len(found["regimes"]) > 1:
        lines += [
            f"regime {one['regime']}, {one['share']:.1%} of the examples: {told(one)}"
            for one in found["regimes"]
        ]
    return lines
