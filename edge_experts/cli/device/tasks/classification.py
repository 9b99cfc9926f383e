"""Classification: labels with their scores, and accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..examples import answers, ending
from ..listening import listen
from . import Evaluation

if TYPE_CHECKING:
    from ....datasets import Dataset, Split
    from ....format.manifest import Manifest
    from ....runtime import Answer, ExpertRuntime
    from ....runtime.installed import InstalledRuntime
    from ..watch import Watch

OPTIONS = {
    "--min-accuracy": "accuracy",
    **dict.fromkeys(("--frames", "--stream", "--listen", "--threshold", "--hop"), ""),
}


def run(
    runtime: ExpertRuntime | InstalledRuntime,
    texts: Sequence[str] | None,
    path: Path | None,
    options: Mapping[str, Any],
    watch: Watch,
    *,
    json: bool,
) -> None:
    if options.get("--listen"):
        listen(runtime, path, watch, options["--threshold"], options["--hop"], json=json)
        return
    named = hasattr(runtime.features, "suffixes") or bool(options.get("--stream"))
    frames, stream = options.get("--frames"), bool(options.get("--stream"))
    for name, answer in answers(runtime, texts, path, watch, frames, stream=stream):
        print(_json(answer, watch, name, named) if json else _line(answer, name), flush=True)
    watch.check_drift()


def _json(answer: Answer, watch: Watch, name: str, named: bool) -> str:
    """Format an answer; files, frames and windows of rows are named."""
    from json import dumps

    content = {
        "schema_version": "1.0",
        **({"input": name} if named else {}),
        "label": answer.label,
        "score": round(answer.score, 6),
        "expert": answer.expert,
        "experts": answer.experts,
        "abstained": answer.abstained,
        **ending(answer, watch),
    }
    return dumps(content, ensure_ascii=False)


def _line(answer: Answer, name: str) -> str:
    # Marked, so that a script that reads the first column notices.
    label = f"abstained ({answer.label})" if answer.abstained else answer.label
    experts = "expert" if len(answer.experts) == 1 else "experts"
    return f"{label}\t{answer.score:.3f}\t{experts} {', '.join(map(str, answer.experts))}\t{name}"


def unknown_labels(dataset: Dataset, manifest: Manifest) -> set[str]:
    return set(dataset.labels) - set(manifest.labels)


def evaluate(
    runtime: ExpertRuntime, dataset: Dataset, split: Split, *, name: str, show: int, seed: int
) -> Evaluation:
    import numpy as np

    from ....progress import Progress

    manifest, count = runtime.manifest, len(split)
    right, abstained = np.zeros(count, bool), np.zeros(count, bool)
    used = np.zeros((count, len(manifest.experts)), bool)
    with Progress(f"Evaluating on {count:,} examples", 10) as progress:
        for row, (example, target) in enumerate(zip(split.inputs, split.targets, strict=True)):
            answer = runtime.predict(example)
            right[row] = answer.label == dataset.labels[target]
            abstained[row] = answer.abstained
            used[row, list(answer.experts)] = True
            if (row + 1) * 10 // count > row * 10 // count:
                progress.step()
    found: dict[str, Any] = {
        "accuracy": round(float(right.mean()), 6),
        "examples": count,
        "expert_usage": [round(float(share), 4) for share in used.mean(axis=0)],
    }
    lines = [f"accuracy {found['accuracy']:.4f} on {count:,} examples of {dataset.name}, {name}"]
    if manifest.combine == "top":
        usage = " ".join(f"{share:.1%}" for share in found["expert_usage"])
        lines.append(f"experts used {usage}")
    if manifest.second_below is not None:
        found["asked_second"] = round(float(np.mean(used.sum(axis=1) > 1)), 6)
        lines.append(f"routed to a second expert too {found['asked_second']:.1%}")
    if manifest.abstain_below is not None:
        answered = right[~abstained]
        found["abstained"] = round(float(abstained.mean()), 6)
        on = found["accuracy_answered"] = (
            round(float(answered.mean()), 6) if len(answered) else None
        )
        rest = "" if on is None else f", accuracy {on:.4f} on the rest"
        lines.append(f"abstained {found['abstained']:.1%}{rest}")
    return Evaluation(found, lines)
