"""Translation: one line for each line, and chrF and BLEU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..examples import inputs
from . import Evaluation

if TYPE_CHECKING:
    from ....datasets import Dataset, Split
    from ....format.manifest import Manifest
    from ....runtime import Answer, ExpertRuntime
    from ....runtime.installed import InstalledRuntime
    from ....runtime.tasks import Task
    from ....runtime.tasks.translation.writer import Written
    from ..watch import Watch

OPTIONS = {"--to": "", "--show": "", "--min-chrf": "chrf"}


def run(
    runtime: ExpertRuntime | InstalledRuntime,
    texts: Sequence[str] | None,
    path: Path | None,
    options: Mapping[str, Any],
    watch: Watch,
    *,
    json: bool,
) -> None:
    """Translate lines as they come, and print each sentence of a line at once.

    A line that cannot be translated is reported and becomes an empty line, so that input and output
    stay aligned.

    Raises:
        UsageError: the bundle does not translate to --to, or that is needed.
    """
    from ....errors import MemoryBudgetError, UsageError
    from ....features import PieceFeatures

    features, to = runtime.features, options["--to"]
    assert isinstance(features, PieceFeatures)
    if to is not None or path is None:
        features.parse("", to)  # checked before the first line
    for one in inputs(texts, path, features, runtime.manifest, to):
        try:
            line, asked = one.value()
            sentences = features.sentences(line)
            _show(
                runtime.task,
                line,
                asked,
                _sentences(runtime, sentences, asked, watch.look),
                json=json,
            )
        except MemoryBudgetError:
            raise
        except UsageError as error:
            if texts:
                raise
            watch.refuse(one, error)
            if not json:
                print(flush=True)


def _sentences(
    runtime: ExpertRuntime | InstalledRuntime,
    sentences: Sequence[str],
    to: str,
    look: Callable[[Answer], None] = lambda answer: None,
) -> Iterator[Written]:
    from ....runtime.tasks.translation.writer import Written

    for sentence in sentences:
        answer = runtime.predict((sentence, to))
        assert isinstance(answer, Written)
        look(answer)
        yield answer


def _show(task: Task, line: str, to: str, answers: Iterator[Written], *, json: bool) -> None:
    if not json:
        between = ""
        for answer in answers:
            print(between + answer.text, end="", flush=True)
            between = " "
        print(flush=True)
        return
    from json import dumps

    made = list(answers)
    told = {"text": line, "to": to, **_told(task, made), "sentences": len(made)}
    print(dumps({"schema_version": "1.0", **told}, ensure_ascii=False), flush=True)


def _told(task: Task, answers: Sequence[Written]) -> dict[str, Any]:
    """JSON of a line from its sentences, of which there may be none."""
    whole = task.joined(answers) if answers else None
    return {
        "translation": "" if whole is None else whole.text,
        "score": 0.0 if whole is None else round(whole.score, 6),
        "expert": None if whole is None else whole.expert,
        "labels": [answer.label for answer in answers],
        "abstained": whole is not None and whole.abstained,
        "degraded": whole is not None and whole.degraded,
        "reason": None if whole is None else whole.reason,
        "warnings": () if whole is None else whole.warnings,
        "pieces": sum(len(answer.pieces) for answer in answers),
        "seconds": 0.0 if whole is None else round(sum(whole.timings) / 1e6, 6),
    }


def unknown_labels(dataset: Dataset, manifest: Manifest) -> set[str]:
    """Languages of the data that the bundle does not translate to."""
    from ....format.expert_names import languages

    return set(languages(dataset.labels)) - set(languages(manifest.labels))


def evaluate(
    runtime: ExpertRuntime, dataset: Dataset, split: Split, *, name: str, show: int, seed: int
) -> Evaluation:
    shown = samples(runtime, dataset, split, show, seed)
    found = judge(runtime, dataset, split)
    lines = [
        f"{one['source']}\n  {one['label']}: {one['written']}\n  wanted: {one['wanted']}"
        for one in shown
    ]
    lines.append(f"chrF {found['chrf']:.2f}, BLEU {found['bleu']:.2f}: means over the labels")
    for label, one in found["labels"].items():
        lines.append(f"{label}: chrF {one['chrf']:.2f}, BLEU {one['bleu']:.2f}")
    lines.append(
        f"without the {found['familiar']:.1%} that equal training examples but for numbers and "
        f"names: chrF {found['chrf_unfamiliar']:.2f}"
    )
    if "routed_right" in found:
        lines.append(f"router: {found['routed_right']:.2%} to the expert of their label")
    lines.append(
        f"{found['examples']:,} sentences of {dataset.name}, "
        f"{found['pieces_per_second']:.0f} pieces a second"
    )
    return Evaluation({**found, **({"shown": shown} if shown else {})}, lines)


def judge(runtime: ExpertRuntime, dataset: Dataset, split: Split) -> dict[str, Any]:
    """chrF and BLEU of a split as deployed, for each label and on average; and the speed.

    Sentences are requested by language, as in use. With a router, the result has the share of
    sentences routed to the expert of their label. One further chrF leaves out familiar sentences,
    whose template is among those of the training.
    """
    from ....datasets.translation.corpus import known_templates, template
    from ....format.expert_names import language
    from ....progress import Progress

    known = known_templates(dataset)
    made: dict[str, list[tuple[str, str, bool]]] = {}
    pieces, seconds, right = 0, 0.0, 0
    with Progress(f"Translating {len(split):,} sentences", 10) as progress:
        for row, (source, wanted) in enumerate(split.inputs):
            label, text = dataset.labels[split.targets[row]], ""
            if answer := _whole(runtime, source, language(label)):
                pieces += len(answer.pieces)
                seconds += answer.timings.invoke_us / 1e6
                right += answer.label == label
                text = answer.text
            made.setdefault(label, []).append((text, wanted, template(source) in known))
            if (row + 1) * 10 // len(split) > row * 10 // len(split):
                progress.step()
    each = {label: _scored(own) for label, own in made.items()}
    routed = runtime.manifest.router is not None
    return {
        **{name: _mean([one[name] for one in each.values()]) for name in ("chrf", "bleu")},
        "chrf_unfamiliar": _mean([one["chrf_unfamiliar"] for one in each.values()]),
        "familiar": _mean([one[2] for own in made.values() for one in own]),
        "examples": len(split),
        "labels": each,
        **({"routed_right": round(right / len(split), 6)} if routed else {}),
        "pieces_per_second": round(pieces / max(seconds, 1e-9), 1),
    }


def _scored(made: Sequence[tuple[str, str, bool]]) -> dict[str, float]:
    """Scores of translations, given with their references and whether the template is familiar."""
    from ....datasets.translation.scores import scores

    unfamiliar = [one for one in made if not one[2]] or made
    ours, theirs, _ = zip(*unfamiliar, strict=True)
    every, wanted, _ = zip(*made, strict=True)
    return {
        **scores(list(every), list(wanted)),
        "chrf_unfamiliar": scores(list(ours), list(theirs))["chrf"],
    }


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 3)


def samples(
    runtime: ExpertRuntime, dataset: Dataset, split: Split, count: int, seed: int
) -> list[dict[str, str]]:
    """Examples drawn by the seed, each with its translation; none is picked by hand."""
    import numpy as np

    from ....format.expert_names import language

    rows = np.random.default_rng(seed).permutation(len(split))[:count]
    shown = []
    for row in rows.tolist():
        (source, wanted), label = split.inputs[row], dataset.labels[split.targets[row]]
        answer = _whole(runtime, source, language(label))
        text = answer.text if answer else ""
        shown.append({"label": label, "source": source, "wanted": wanted, "written": text})
    return shown


def _whole(runtime: ExpertRuntime, text: str, to: str) -> Written | None:
    """Answer a text as one sentence; None if it is too long, which counts as untranslated."""
    from ....errors import UsageError

    try:
        return next(_sentences(runtime, [text], to))
    except UsageError:
        return None
