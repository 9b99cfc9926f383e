"""Multi-label classification: labels with their probabilities, and F1."""

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

OPTIONS = {"--min-f1": "f1_micro", "--frames": ""}
_SHOWN = 20  # labels with an F1 of their own in the text


def run(
    runtime: ExpertRuntime | InstalledRuntime,
    texts: Sequence[str] | None,
    path: Path | None,
    options: Mapping[str, Any],
    watch: Watch,
    *,
    json: bool,
) -> None:
    for name, answer in answers(runtime, texts, path, watch, options.get("--frames")):
        print(_json(answer, watch) if json else _line(answer, name), flush=True)
    watch.check_drift()


def _json(answer: Answer, watch: Watch) -> str:
    from json import dumps

    from ....runtime.tasks.multi_label import LabelSet

    assert isinstance(answer, LabelSet)
    content = {
        "schema_version": "1.0",
        "labels": answer.labels,
        "probabilities": _rounded(answer.probabilities),
        "thresholds": _rounded(answer.thresholds),
        "label": answer.label,
        "score": round(answer.score, 6),
        "expert": answer.expert,
        "experts": answer.experts,
        **ending(answer, watch),
    }
    return dumps(content, ensure_ascii=False)


def _rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: round(number, 6) for name, number in numbers.items()}


def _line(answer: Answer, name: str) -> str:
    experts = "expert" if len(answer.experts) == 1 else "experts"
    used = f"{experts} {', '.join(map(str, answer.experts))}"
    return f"{answer.text}\t{answer.score:.3f}\t{used}\t{name}"


def unknown_labels(dataset: Dataset, manifest: Manifest) -> set[str]:
    return set(dataset.labels) - set(manifest.labels)


def evaluate(
    runtime: ExpertRuntime, dataset: Dataset, split: Split, *, name: str, show: int, seed: int
) -> Evaluation:
    import numpy as np

    from ....datasets.targets import label_sets
    from ....progress import Progress
    from ....runtime.tasks.multi_label import LabelSet

    manifest, count = runtime.manifest, len(split)
    wanted = np.zeros((count, len(manifest.labels)), bool)
    wanted[:, [manifest.labels.index(label) for label in dataset.labels]] = split.targets
    answered = np.zeros_like(wanted)
    used = np.zeros((count, len(manifest.experts)), bool)
    with Progress(f"Evaluating on {count:,} examples", 10) as progress:
        for row, example in enumerate(split.inputs):
            answer = runtime.predict(example)
            assert isinstance(answer, LabelSet)
            answered[row] = answer.present
            used[row, list(answer.experts)] = True
            if (row + 1) * 10 // count > row * 10 // count:
                progress.step()
    each, occurs = label_sets.by_label(answered, wanted), wanted.sum(axis=0)
    found: dict[str, Any] = {
        **label_sets.scores(answered, wanted),
        "labels_that_occur": int((occurs > 0).sum()),
        "equal_sets": round(float((answered == wanted).all(axis=1).mean()), 6),
        "no_label": round(float((~answered.any(axis=1)).mean()), 6),
        "same_labels_always_f1_micro": round(label_sets.same_always(wanted), 6),
        "labels": {
            label: {"f1": round(float(each[place]), 6), "examples": int(occurs[place])}
            for place, label in enumerate(manifest.labels)
        },
        "examples": count,
        "expert_usage": [round(float(share), 4) for share in used.mean(axis=0)],
    }
    lines = [
        f"micro-F1 {found['f1_micro']:.4f}, macro-F1 {found['f1_macro']:.4f} over the "
        f"{found['labels_that_occur']:,} labels that occur, on {count:,} examples of "
        f"{dataset.name}, {name}",
        f"all labels right on {found['equal_sets']:.1%}, no label answered on "
        f"{found['no_label']:.1%}; the best set of labels for all examples alike has a micro-F1 of "
        f"{found['same_labels_always_f1_micro']:.4f}",
    ]
    order = np.argsort(-occurs, kind="stable")[:_SHOWN].tolist()
    lines += [
        f"{manifest.labels[place]}: F1 {each[place]:.4f}, {occurs[place]:,} examples"
        for place in order
        if occurs[place]
    ]
    if manifest.combine == "top":
        usage = " ".join(f"{share:.1%}" for share in found["expert_usage"])
        lines.append(f"experts used {usage}")
    if manifest.second_below is not None:
        found["asked_second"] = round(float(np.mean(used.sum(axis=1) > 1)), 6)
        lines.append(f"routed to a second expert too {found['asked_second']:.1%}")
    return Evaluation(found, lines)
