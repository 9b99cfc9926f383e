from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..options import Bundle, Json, MemoryBudget, Source, print_json

if TYPE_CHECKING:
    from ...datasets import Dataset, Split
    from ...format.manifest import Manifest
    from ...runtime import ExpertRuntime


def evaluate(
    bundle: Bundle,
    data: Source,
    split: Annotated[
        Literal["train", "validation", "test"], typer.Option(help="Which part of the data.")
    ] = "test",
    seed: Annotated[
        int | None,
        typer.Option(
            help="For splitting a file without a split column.  [default: the training's]", min=0
        ),
    ] = None,
    memory_budget: MemoryBudget = None,
    min_accuracy: Annotated[
        float | None,
        typer.Option(help="End with exit code 5 below it.", min=0, max=1, show_default=False),
    ] = None,
    min_chrf: Annotated[
        float | None,
        typer.Option(
            help="Likewise for a bundle that translates.", min=0, max=100, show_default=False
        ),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(
            help="Only so many examples, drawn by the seed.  [default: all]",
            min=1,
            show_default=False,
        ),
    ] = None,
    show: Annotated[
        int,
        typer.Option(
            help="Of a bundle that translates: so many examples, drawn by the seed, with what it "
            "writes.",
            min=0,
        ),
    ] = 0,
    json: Json = False,
) -> None:
    """Measure the accuracy of a bundle as deployed: its own files, through the runtime.

    It is over all examples, those included where the bundle abstains. Of a bundle that translates
    it is chrF and BLEU, by sacrebleu, and how often its router, if it has one, is right.

    Example: edge-experts evaluate sentiment.bundle --data sentiment
    """
    import numpy as np

    from ... import datasets
    from ...errors import DataError, ThresholdError, UsageError
    from ...progress import Progress
    from ...runtime import ExpertRuntime
    from .translate import samples

    with ExpertRuntime(bundle, memory_budget=memory_budget, strict=True) as runtime:
        # With another seed, examples that it was trained on would be among the test examples.
        trained_with = runtime.manifest.provenance.get("seed") or 0
        dataset = datasets.load(data, trained_with if seed is None else seed)
        unknown = _unknown(dataset, runtime.manifest)
        if unknown:
            raise DataError(
                f"{data}: has labels that {bundle} does not know: {', '.join(sorted(unknown))}"
            )
        examples = _some(getattr(dataset, split), most, trained_with if seed is None else seed)
        if runtime.manifest.generation is not None:
            shown = samples(
                runtime, dataset, examples, show, trained_with if seed is None else seed
            )
            _translations(runtime, dataset, examples, min_chrf, shown, json=json)
            return
        if show:
            raise UsageError("--show is for bundles that translate")
        manifest, count = runtime.manifest, len(examples)
        right, abstained = np.zeros(count, bool), np.zeros(count, bool)
        asked = np.zeros((count, len(manifest.experts)), bool)
        with Progress(f"Evaluating on {len(examples):,} examples", 10) as progress:
            for row, (example, target) in enumerate(
                zip(examples.inputs, examples.targets, strict=True)
            ):
                answer = runtime.predict(example)
                right[row] = answer.label == dataset.labels[target]
                abstained[row] = answer.abstained
                asked[row, list(answer.experts)] = True
                if (row + 1) * 10 // count > row * 10 // count:
                    progress.step()
    accuracy = float(right.mean())
    found: dict[str, Any] = {
        "accuracy": round(accuracy, 6),
        "examples": count,
        "expert_usage": [round(float(share), 4) for share in asked.mean(axis=0)],
    }
    if manifest.second_below is not None:
        found["asked_second"] = round(float(np.mean(asked.sum(axis=1) > 1)), 6)
    if manifest.abstain_below is not None:
        answered = right[~abstained]
        found["abstained"] = round(float(abstained.mean()), 6)
        found["accuracy_answered"] = round(float(answered.mean()), 6) if len(answered) else None
    if json:
        print_json({"schema_version": "1.0", **found})
    else:
        print(f"accuracy {accuracy:.4f} on {count:,} examples of {dataset.name}, {split}")
        if manifest.combine == "top":
            print("experts used " + " ".join(f"{share:.1%}" for share in found["expert_usage"]))
        if "asked_second" in found:
            print(f"a second expert asked {found['asked_second']:.1%}")
        if "abstained" in found:
            on = found["accuracy_answered"]
            rest = "" if on is None else f", accuracy {on:.4f} on the rest"
            print(f"abstained {found['abstained']:.1%}{rest}")
    if min_accuracy is not None and accuracy < min_accuracy:
        raise ThresholdError(f"accuracy {accuracy:.4f} is below --min-accuracy {min_accuracy}")


def _unknown(dataset: Dataset, manifest: Manifest) -> set[str]:
    """Labels of the data that a bundle does not know; of translations, languages."""
    from ...format.expert_names import languages

    if manifest.generation is None:
        return set(dataset.labels) - set(manifest.labels)
    return set(languages(dataset.labels)) - set(languages(manifest.labels))


def _some(split: Split, most: int | None, seed: int) -> Split:
    """So many of the examples, in their order; all by default."""
    import numpy as np

    from ...datasets import Split

    if most is None or most >= len(split):
        return split
    rows = np.sort(np.random.default_rng(seed).permutation(len(split))[:most])
    return Split([split.inputs[row] for row in rows], split.targets[rows])


def _translations(
    runtime: ExpertRuntime,
    dataset: Dataset,
    split: Split,
    least: float | None,
    shown: list[dict[str, str]],
    *,
    json: bool,
) -> None:
    from ...errors import ThresholdError
    from .translate import judge

    found = judge(runtime, dataset, split)
    if json:
        print_json({"schema_version": "1.0", **found, **({"shown": shown} if shown else {})})
    else:
        for one in shown:
            print(f"{one['source']}\n  {one['label']}: {one['written']}\n  wanted: {one['wanted']}")
        print(f"chrF {found['chrf']:.2f}, BLEU {found['bleu']:.2f}: means over the labels")
        for label, one in found["labels"].items():
            print(f"{label}: chrF {one['chrf']:.2f}, BLEU {one['bleu']:.2f}")
        print(
            f"without the {found['familiar']:.1%} that training knows but for numbers and names: "
            f"chrF {found['chrf_unfamiliar']:.2f}"
        )
        if "routed_right" in found:
            print(f"router: {found['routed_right']:.2%} to the expert of their label")
        print(
            f"{found['examples']:,} sentences of {dataset.name}, "
            f"{found['pieces_per_second']:.0f} pieces a second"
        )
    if least is not None and found["chrf"] < least:
        raise ThresholdError(f"chrF {found['chrf']:.2f} is below --min-chrf {least}")
