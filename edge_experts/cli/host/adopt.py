from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..column_options import (
    Drop,
    GroupColumn,
    Keep,
    LabelColumn,
    TimeColumn,
    columns_of,
    print_notes,
)
from ..hints import print_convert
from ..shared_options import Force, ImageSize, Json, Source, Task, print_json, require_training


def adopt(
    networks: Annotated[
        Path,
        typer.Argument(
            help="Folder with router.keras and expert_*.keras, or one file.",
            show_default=False,
        ),
    ],
    data: Source,
    out: Annotated[Path, typer.Option(help="Run folder to write.", show_default=False)],
    task: Task = None,
    label_column: LabelColumn = None,
    drop: Drop = None,
    keep: Keep = None,
    group_column: GroupColumn = None,
    time_column: TimeColumn = None,
    standardize: Annotated[
        bool,
        typer.Option(
            "--standardize",
            help="Standardize the networks' inputs, as `train` does.",
        ),
    ] = False,
    combine: Annotated[
        Literal["top", "sum"],
        typer.Option(help="Route to one expert, or sum all without a router."),
    ] = "top",
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Labels in the order of the networks' outputs.",
            show_default="sorted",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of the split, for a file without splits.", min=0)
    ] = 0,
    image_size: ImageSize = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the bundle.", show_default="the folder's name"),
    ] = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Make a run folder from trained Keras networks.

    The data is used for conversion and evaluation; nothing is trained. Networks of Keras 3 are
    rebuilt in tf_keras, and must give the same outputs.

    Example: edge-experts adopt my_networks --data digits.npz --out digits.run
    """
    require_training()
    from ...format.atomic import refuse_existing

    refuse_existing(out, force=force)
    from ... import datasets
    from ...training import adopt as run_adoption
    from ...training.tasks import training_of

    columns = columns_of(label_column, drop, group_column, time_column, keep)
    dataset = datasets.load(data, seed, task_type=task, columns=columns, image_size=image_size)
    print_notes(dataset)
    run = run_adoption(
        networks,
        dataset,
        out,
        standardize=standardize,
        combine=combine,
        labels=None if labels is None else [label.strip() for label in labels.split(",")],
        seed=seed,
        name=name,
        force=force,
    )
    if json:
        print_json(
            {
                "schema_version": "1.0",
                "run": str(out),
                "experts": run.experts,
                "labels": list(run.labels),
                "features": run.feature_kind,
                **run.metrics,
            }
        )
        return
    print(f"{out}: {run.experts} expert(s); {training_of(run.task_type).summary(run)}")
    print_convert(out)
