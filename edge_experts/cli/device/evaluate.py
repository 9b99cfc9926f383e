from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..help import LIMITS, RARE
from ..options import Bundle, Json, MemoryBudget, Source, print_json

if TYPE_CHECKING:
    from ...datasets import Split


def evaluate(
    bundle: Bundle,
    data: Source,
    split: Annotated[
        Literal["train", "validation", "test"], typer.Option(help="Part of the data.")
    ] = "test",
    seed: Annotated[
        int | None,
        typer.Option(
            help="Seed of the split of a file without one.",
            min=0,
            show_default="the training's",
        ),
    ] = None,
    memory_budget: MemoryBudget = None,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            help="Exit code 5 below this accuracy.",
            min=0,
            max=1,
            show_default="no limit",
            rich_help_panel=LIMITS,
        ),
    ] = None,
    min_chrf: Annotated[
        float | None,
        typer.Option(
            help="Exit code 5 below this chrF, of translations.",
            min=0,
            max=100,
            show_default="no limit",
            rich_help_panel=LIMITS,
        ),
    ] = None,
    min_r2: Annotated[
        float | None,
        typer.Option(
            help="Exit code 5 below this R2, of regression.",
            min=-1e6,
            max=1,
            show_default="no limit",
            rich_help_panel=LIMITS,
        ),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(
            help="Most examples, drawn by the seed.",
            min=1,
            show_default="all",
        ),
    ] = None,
    show: Annotated[
        int,
        typer.Option(
            help="Translations to print, drawn by the seed.",
            min=0,
            rich_help_panel=RARE,
        ),
    ] = 0,
    json: Json = False,
) -> None:
    """Measure a bundle's accuracy as deployed.

    Its own files answer, through the runtime. The accuracy is over all examples, those included
    where the bundle abstains. Of a bundle that translates it is chrF and BLEU, by sacrebleu, and
    how often its router, if it has one, is right. Of a bundle of regression it is the mean absolute
    error, the root mean squared error and R2.

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
        dataset = datasets.load(data, chosen, runtime.manifest.task_type)
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
