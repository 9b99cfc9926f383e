from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from .options import Bundle, Json, MemoryBudget, Source, print_json


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
    json: Json = False,
) -> None:
    """Measure the accuracy of a bundle as deployed: its own files, through the runtime.

    It is over all examples, those included where the bundle abstains.

    Example: edge-experts evaluate sentiment.bundle --data sentiment
    """
    import numpy as np

    from .. import datasets
    from ..errors import DataError, ThresholdError
    from ..progress import Progress
    from ..runtime import ExpertRuntime

    with ExpertRuntime(bundle, memory_budget=memory_budget, strict=True) as runtime:
        # With another seed, examples that it was trained on would be among the test examples.
        trained_with = runtime.manifest.provenance.get("seed") or 0
        dataset = datasets.load(data, trained_with if seed is None else seed)
        unknown = set(dataset.labels) - set(runtime.manifest.labels)
        if unknown:
            raise DataError(
                f"{data}: has labels that {bundle} does not know: {', '.join(sorted(unknown))}"
            )
        examples = getattr(dataset, split)
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
