from __future__ import annotations

from typing import Annotated, Literal

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

    Example: edge-experts evaluate sentiment.bundle --data sentiment
    """
    from .. import datasets
    from ..errors import DataError, ThresholdError
    from ..progress import Progress
    from ..runtime import ExpertRuntime

    with ExpertRuntime(bundle, memory_budget=memory_budget) as runtime:
        # With another seed, examples that it was trained on would be among the test examples.
        trained_with = runtime.manifest.provenance.get("seed") or 0
        dataset = datasets.load(data, trained_with if seed is None else seed)
        unknown = set(dataset.labels) - set(runtime.manifest.labels)
        if unknown:
            raise DataError(
                f"{data}: has labels that {bundle} does not know: {', '.join(sorted(unknown))}"
            )
        examples = getattr(dataset, split)
        right = 0
        usage = [0] * len(runtime.manifest.experts)
        with Progress(f"Evaluating on {len(examples):,} examples", 10) as progress:
            for number, (example, target) in enumerate(
                zip(examples.inputs, examples.targets, strict=True), 1
            ):
                answer = runtime.predict(example)
                right += answer.label == dataset.labels[target]
                # Summed experts have no first choice: each is asked every time.
                for expert in range(len(usage)) if answer.expert < 0 else (answer.expert,):
                    usage[expert] += 1
                if number * 10 // len(examples) > (number - 1) * 10 // len(examples):
                    progress.step()
    accuracy = right / len(examples)
    shares = [round(count / len(examples), 4) for count in usage]
    if json:
        print_json(
            {
                "schema_version": "1.0",
                "accuracy": round(accuracy, 6),
                "examples": len(examples),
                "expert_usage": shares,
            }
        )
    else:
        print(f"accuracy {accuracy:.4f} on {len(examples):,} examples of {dataset.name}, {split}")
        if runtime.manifest.combine == "top":
            print("experts used " + " ".join(f"{share:.1%}" for share in shares))
    if min_accuracy is not None and accuracy < min_accuracy:
        raise ThresholdError(f"accuracy {accuracy:.4f} is below --min-accuracy {min_accuracy}")
