from __future__ import annotations

import sys
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
from ..options import Force, Json, Source, print_json, require_training


def adopt(
    networks: Annotated[
        Path,
        typer.Argument(
            help="A folder with router.keras and experts/*.keras or expert_*.keras, or one file.",
            show_default=False,
        ),
    ],
    data: Source,
    out: Annotated[Path, typer.Option(help="The run folder to write.", show_default=False)],
    label_column: LabelColumn = None,
    drop: Drop = None,
    keep: Keep = None,
    group_column: GroupColumn = None,
    time_column: TimeColumn = None,
    standardize: Annotated[
        bool,
        typer.Option(
            "--standardize",
            help="Give the networks numbers standardized by the training examples, as train does; "
            "otherwise they stay as they are.",
        ),
    ] = False,
    combine: Annotated[
        Literal["top", "sum"],
        typer.Option(help="The expert that the router picks, or the sum of all, without a router."),
    ] = "top",
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="The labels in the order of the networks' outputs.  [default: sorted]",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="For splitting a file without splits of its own.", min=0)
    ] = 0,
    name: Annotated[
        str | None,
        typer.Option(
            help="What the bundle will be called.  [default: the folder's name]",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Take Keras networks that are trained already, with data to convert and judge them by.

    Nothing is trained. Files of Keras 3 are rebuilt in tf_keras, and must give the same answers.

    Example: edge-experts adopt my_networks --data digits.npz --out digits.run
    """
    require_training()
    from ...format.atomic import refuse_existing

    refuse_existing(out, force=force)
    from ... import datasets
    from ...training import adopt as run_adoption

    columns = columns_of(label_column, drop, group_column, time_column, keep)
    dataset = datasets.load(data, seed, columns=columns)
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
    metrics = run.metrics
    if json:
        print_json(
            {
                "schema_version": "1.0",
                "run": str(out),
                "experts": run.experts,
                "labels": list(run.labels),
                "features": run.feature_kind,
                **metrics,
            }
        )
        return
    print(
        f"{out}: {run.experts} expert(s); accuracy {metrics['validation_accuracy']:.4f} on "
        f"validation, {metrics['test_accuracy']:.4f} on test examples, as they were trained"
    )
    print(f"Next: edge-experts convert {out} --out {out.stem}.bundle", file=sys.stderr)
