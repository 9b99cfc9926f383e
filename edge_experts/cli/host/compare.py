from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

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
from ..shared_options import (
    Backbone,
    BackboneInput,
    BackboneLayer,
    ImageSize,
    Json,
    Model,
    Recipe,
    RouterModel,
    Scheduler,
    Source,
    Stride,
    Task,
    Width,
    Window,
    as_typed,
    photo_size,
    print_json,
    require_training,
)


def compare(
    data: Source,
    task: Task = None,
    label_column: LabelColumn = None,
    drop: Drop = None,
    keep: Keep = None,
    group_column: GroupColumn = None,
    time_column: TimeColumn = None,
    window: Window = None,
    stride: Stride = None,
    seeds: Annotated[
        int, typer.Option(help="Trainings of each row, with seeds 0, 1 ...", min=1, max=10)
    ] = 1,
    rows: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Rows to make, by name (see docs/comparing.md), beside both dense networks.",
            show_default="all that suit the data",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Train on 6,000 examples, evaluate on validation examples.",
        ),
    ] = False,
    experts: Annotated[
        int | None, typer.Option(help="Number of expert networks.", min=2, show_default="4")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Largest number of epochs of the mixture stage.",
            min=1,
            show_default="texts 6, images 6, others 16",
        ),
    ] = None,
    quantization: Recipe = "int8",
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Training settings; options have priority."),
    ] = None,
    image_size: ImageSize = None,
    backbone: Backbone = None,
    backbone_layer: BackboneLayer = None,
    backbone_input: BackboneInput = None,
    width: Width = None,
    model: Model = None,
    router_model: RouterModel = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder for runs, bundles and results; the same command resumes there.",
            show_default="none is kept",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Repeat finished rows in --out.")] = False,
    picture: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw accuracy or R2 against size (.png or .svg).",
        ),
    ] = None,
    scheduler: Scheduler = None,
    json: Json = False,
) -> None:
    """Compare sparse experts with dense baselines on your data.

    The baselines are dense networks of the same active size and of all experts' size, the latter
    also pruned and quantized; experts with random and hash routing; the article's method; and top-2
    routing. All are trained on the same data, for as many epochs, by the same teacher. Classifiers
    are compared by accuracy, those of several labels by micro-F1, regression models by R2, language
    models by the share of tokens that they predict rightly, with perplexity beside it.

    With --scheduler, each seed is the work of one worker of a Dask cluster.

    Example: edge-experts compare --data sentiment --seeds 3 --out compared
    """
    require_training()
    from ... import datasets
    from ...errors import UsageError
    from .train import read_config

    settings = {} if config is None else read_config(config)
    given = {
        "experts": experts,
        "epochs": epochs,
        "backbone": None if backbone is None else str(backbone),
        "backbone_layer": backbone_layer,
        "backbone_input": backbone_input,
        "width": width,
        "model": model,
        "router_model": router_model,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    from ... import plotting
    from ...converters.trial import ConversionTrial
    from ...experiments import comparison
    from ...training.default_settings import config_of

    if out is not None or picture is not None:
        plotting.require(picture)
    columns = columns_of(label_column, drop, group_column, time_column, keep)
    side = photo_size(data, image_size, settings.get("backbone"), settings.get("backbone_layer"))
    dataset = datasets.load(
        data, task_type=task, columns=columns, image_size=side, window=window, stride=stride
    )
    print_notes(dataset)
    if scheduler is not None and out is None:
        raise UsageError("--scheduler needs --out, a folder that all its workers see")
    with tempfile.TemporaryDirectory() as temporary:
        result = comparison.compare(
            dataset,
            out or Path(temporary),
            config=config_of(
                dataset, **settings, trial=ConversionTrial(quantization, required=True)
            ),
            seeds=range(seeds),
            quantization=quantization,
            rows=None if rows is None else [name.strip() for name in rows.split(",")],
            quick=quick,
            force=force,
            scheduler=scheduler,
        )
    if out is not None:
        comparison.write(result, out, command=as_typed())
    if picture is not None:
        from ...experiments.comparison.comparison_picture import draw

        draw(result, picture)
    if json:
        print_json({**comparison.as_json(result), "command": as_typed()})
    else:
        print(comparison.as_text(result))
