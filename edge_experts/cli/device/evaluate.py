from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..column_options import LabelColumn, columns_of, print_notes
from ..options import Bundle, Json, MemoryBudget, Source, print_json

if TYPE_CHECKING:
    from ...datasets import Split


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
    label_column: LabelColumn = None,
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
    min_r2: Annotated[
        float | None,
        typer.Option(
            help="Likewise for a bundle of regression.", min=-1e6, max=1, show_default=False
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
    it is chrF and BLEU, by sacrebleu, and how often its router, if it has one, is right. Of a
    bundle of regression it is the mean absolute error, the root mean squared error and R2.

    Example: edge-experts evaluate sentiment.bundle --data sentiment
    """
    from ... import datasets
    from ...errors import DataError
    from ...runtime import ExpertRuntime
    from .tasks import check_options, check_thresholds, commands_of

    with ExpertRuntime(bundle, memory_budget=memory_budget, strict=True) as runtime:
        commands = commands_of(runtime.task)
        thresholds = {"--min-accuracy": min_accuracy, "--min-chrf": min_chrf, "--min-r2": min_r2}
        check_options(commands, runtime.task.name, {"--show": show, **thresholds})
        # With another seed, examples that it was trained on would be among the test examples.
        trained_with = runtime.manifest.provenance.get("seed") or 0
        chosen = trained_with if seed is None else seed
        columns = columns_of(label_column, recorded=runtime.manifest.provenance.get("columns"))
        dataset = datasets.load(data, chosen, runtime.manifest.task_type, columns, runtime.features)
        print_notes(dataset)
        unknown = commands.unknown_labels(dataset, runtime.manifest)
        if unknown:
            raise DataError(
                f"{data}: has {runtime.task.labels_are} that {bundle} does not know: "
                f"{', '.join(sorted(unknown))}"
            )
        examples = _some(getattr(dataset, split), most, chosen)
        result = commands.evaluate(runtime, dataset, examples, name=split, show=show, seed=chosen)
    if json:
        print_json({"schema_version": "1.0", **result.found})
    else:
        print("\n".join(result.lines))
    check_thresholds(commands, result, thresholds)


def _some(split: Split, most: int | None, seed: int) -> Split:
    """So many of the examples, in their order; all by default."""
    import numpy as np

    from ...datasets import Split

    if most is None or most >= len(split):
        return split
    rows = np.sort(np.random.default_rng(seed).permutation(len(split))[:most])
    return Split([split.inputs[row] for row in rows], split.targets[rows])
