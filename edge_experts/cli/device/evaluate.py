from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..column_options import LabelColumn, NormalLabel, columns_of, print_notes
from ..help import LIMITS, RARE
from ..shared_options import (
    Bundle,
    ExpertsPerToken,
    Json,
    MemoryBudget,
    OptionalSource,
    PreferResident,
    print_json,
)

if TYPE_CHECKING:
    from ...datasets import Columns, Split
    from ...datasets.held_out import Holdout, Selection
    from ...features import Features
    from ...format.trained_rows import TrainedRows
    from ...runtime import ExpertRuntime


def _limit(score: str, least: float, most: float) -> Any:
    """Option of a score below which the command fails."""
    return typer.Option(
        help=f"Exit code 5 below this {score}.",
        min=least,
        max=most,
        show_default="no limit",
        rich_help_panel=LIMITS,
    )


def evaluate(
    bundle: Bundle,
    data: OptionalSource = None,
    listen: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.wav",
            help="Count false alarms in a recording that has none of the sounds.",
        ),
    ] = None,
    words: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Times and labels of sounds in --listen's recording, to detect.",
        ),
    ] = None,
    split: Annotated[
        Literal["train", "validation", "test"],
        typer.Option(help="Split to evaluate; test excludes trained rows."),
    ] = "test",
    seed: Annotated[
        int | None,
        typer.Option(
            help="Seed of the split, for a file without splits.",
            min=0,
            show_default="the training's",
        ),
    ] = None,
    label_column: LabelColumn = None,
    normal_label: NormalLabel = None,
    memory_budget: MemoryBudget = None,
    prefer_resident: PreferResident = 0.0,
    experts_per_token: ExpertsPerToken = None,
    min_accuracy: Annotated[float | None, _limit("accuracy", 0, 1)] = None,
    min_chrf: Annotated[float | None, _limit("chrF, of translations", 0, 100)] = None,
    min_r2: Annotated[float | None, _limit("R2, of regression", -1e6, 1)] = None,
    min_f1: Annotated[float | None, _limit("micro-F1, of several labels", 0, 1)] = None,
    min_auroc: Annotated[float | None, _limit("AUROC, of anomalies", 0, 1)] = None,
    most: Annotated[
        int | None,
        typer.Option(
            help="Largest number of examples, drawn by the seed.",
            min=1,
            show_default="all",
        ),
    ] = None,
    show: Annotated[
        int,
        typer.Option(
            help="Translations or continuations to print, drawn by the seed.",
            min=0,
            rich_help_panel=RARE,
        ),
    ] = 0,
    all_rows: Annotated[
        bool,
        typer.Option("--all-rows", help="Include trained rows.", rich_help_panel=RARE),
    ] = False,
    json: Json = False,
) -> None:
    """Measure a bundle's accuracy as deployed.

    Rows that the bundle was trained on are left out, in any file. Of the other rows of a file all
    count, or those of its test split if it has one.

    The bundle's own files answer, through the runtime. The accuracy covers all examples, abstained
    answers included. For translation the scores are chrF and BLEU, by sacrebleu, and the accuracy
    of the router, if there is one. For regression they are the mean absolute error (MAE), the root
    mean squared error (RMSE) and R2. For several labels of an example (multi-label) they are F1 of
    all labels counted together (micro) and the mean F1 of the labels that occur (macro). For
    anomalies they are AUROC, the share of anomalous rows that are found, and the share of normal
    rows that are false alarms. With --listen instead of --data, they are the detections of `run
    --listen` per hour, for several thresholds; with --words, a table with the columns time and
    label, also the share of the sounds that are detected.

    Example: edge-experts evaluate sentiment.bundle --data sentiment

    Example: edge-experts evaluate help.bundle --data help --experts-per-token 1

    Example: edge-experts evaluate sounds.bundle --listen speech.wav
    """
    from ...errors import DataError, MemoryBudgetError, UsageError

    if (data is None) == (listen is None):
        raise UsageError("give --data DATA, or --listen FILE.wav")
    if listen is not None:
        _listen(bundle, listen, words, memory_budget, json=json)
        return
    if words is not None:
        raise UsageError("--words is for --listen FILE.wav")
    assert data is not None
    from ...format.checked_files import read_trained_rows
    from ...runtime import ExpertRuntime
    from .tasks import check_options, check_thresholds, commands_of

    if all_rows and split != "test":
        raise UsageError(f"--all-rows covers all splits; remove --split {split}")
    with ExpertRuntime(
        bundle,
        memory_budget=memory_budget,
        strict=True,
        prefer_resident=prefer_resident,
        experts_per_token=experts_per_token,
    ) as runtime:
        commands = commands_of(runtime.task)
        thresholds = {
            "--min-accuracy": min_accuracy,
            "--min-chrf": min_chrf,
            "--min-r2": min_r2,
            "--min-f1": min_f1,
            "--min-auroc": min_auroc,
        }
        check_options(commands, runtime.task.name, {"--show": show, **thresholds})
        # With another seed, training examples would be among the test examples.
        trained_with = runtime.manifest.provenance.get("seed") or 0
        chosen = trained_with if seed is None else seed
        recorded = runtime.manifest.provenance.get("columns")
        columns = columns_of(label_column, normal=normal_label, recorded=recorded)
        trained = read_trained_rows(bundle, runtime.manifest)
        any_rows = all_rows or (trained is not None and split == "test")
        source = _read(data, chosen, runtime, columns, any_rows=any_rows)
        dataset = source.dataset
        print_notes(dataset)
        unknown = commands.unknown_labels(dataset, runtime.manifest)
        if unknown:
            raise DataError(
                f"{data}: has {runtime.task.labels_are} that {bundle} does not know: "
                f"{', '.join(sorted(unknown))}"
            )
        selection = _selected(source, split, runtime.features, trained, all_rows=all_rows)
        examples = _some(selection.split, most, chosen)
        try:
            result = commands.evaluate(
                runtime, dataset, examples, name=selection.name, show=show, seed=chosen
            )
        except (DataError, MemoryBudgetError):
            raise
        except UsageError as error:  # a row of the file violates the contract
            raise DataError(f"{data}: {error}") from None
    known: dict[str, int] = {}
    if trained is not None:
        known = {"left_out": selection.left_out, "like_trained": selection.alike}
    if json:
        print_json({"schema_version": "1.0", **result.found, **known})
    else:
        print("\n".join([*result.lines, *_told(selection)]))
    if trained is None and split == "test" and Path(data).is_file():
        print(
            "edge-experts: note: this bundle has no record of what it was trained on; in the "
            "training's own file that is left out by --seed, in others it is not recognised",
            file=sys.stderr,
        )
    check_thresholds(commands, result, thresholds)


def _listen(
    bundle: Path, path: Path, words: Path | None, memory_budget: int | None, *, json: bool
) -> None:
    """Print the detections in a recording, for several thresholds."""
    from ...runtime import ExpertRuntime
    from ...text_table import aligned
    from .listening import measured

    with ExpertRuntime(bundle, memory_budget=memory_budget, strict=True) as runtime:
        found = measured(runtime, path, words)
    if json:
        print_json({"schema_version": "1.0", **found})
        return
    print(
        f"{found['seconds']:,.0f} s of {path}, a window every {found['hop']:g} s, real-time factor "
        f"{found['real_time_factor']:.4f}"
    )
    rows = [["threshold", "false alarms", "per hour"]]
    rows += [
        [f"{one['threshold']:g}", f"{one['false_alarms']:,}", f"{one['per_hour']:,.1f}"]
        for one in found["thresholds"]
    ]
    if words is not None:
        told = [f"{one['detected']:,} of {one['sounds']:,}" for one in found["thresholds"]]
        rows = [[*row, cell] for row, cell in zip(rows, ["detected", *told], strict=True)]
    print("\n".join(aligned(rows)))


def _read(
    data: str, seed: int, runtime: ExpertRuntime, columns: Columns, *, any_rows: bool
) -> Holdout:
    """Read the data; with `any_rows` also data that no bundle could be trained on."""
    from ... import datasets
    from ...datasets import held_out

    how = (data, seed, runtime.manifest.task_type, columns, runtime.features)
    if any_rows:
        return held_out.read(*how)
    return held_out.Holdout(datasets.load(*how), has_splits=True)


def _selected(
    source: Holdout, split: str, features: Features, trained: TrainedRows | None, *, all_rows: bool
) -> Selection:
    """Select the rows to evaluate.

    A bundle of 0.1.0 has no record of its training rows: its seed draws the splits instead.
    """
    from ...datasets import held_out

    if all_rows:
        return held_out.Selection(held_out.whole(source.dataset), "all rows")
    if trained is None or split != "test":
        return held_out.Selection(getattr(source.dataset, split), split)
    return held_out.select(source, features, trained)


def _told(selection: Selection) -> list[str]:
    """Sentence on rows of the training, if there are any."""
    if selection.left_out:
        return [f"left out {_rows(selection.left_out)} that the bundle was trained on"]
    if selection.alike:
        return [
            f"{_rows(selection.alike)} equal to a training row, as many as expected by chance: "
            "none was left out"
        ]
    return []


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def _some(split: Split, most: int | None, seed: int) -> Split:
    """Draw at most `most` examples, in their order; all by default."""
    import numpy as np

    from ...datasets import Split

    if most is None or most >= len(split):
        return split
    rows = np.sort(np.random.default_rng(seed).permutation(len(split))[:most])
    return Split([split.inputs[row] for row in rows], split.targets[rows])
