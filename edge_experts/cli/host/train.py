from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ...errors import UsageError
from ..column_options import (
    Drop,
    GroupColumn,
    Keep,
    LabelColumn,
    NormalLabel,
    TimeColumn,
    columns_of,
    print_notes,
)
from ..help import BACKBONE, RARE
from ..hints import print_convert
from ..shared_options import (
    Backbone,
    BackboneInput,
    BackboneLayer,
    Force,
    ImageSize,
    Model,
    RouterModel,
    Source,
    Stride,
    Task,
    Width,
    Window,
    photo_size,
    require_training,
)


def train(
    data: Source,
    out: Annotated[Path, typer.Option(help="Run folder to write.", show_default=False)],
    task: Task = None,
    label_column: LabelColumn = None,
    drop: Drop = None,
    keep: Keep = None,
    normal_label: NormalLabel = None,
    group_column: GroupColumn = None,
    time_column: TimeColumn = None,
    window: Window = None,
    stride: Stride = None,
    experts: Annotated[
        int | None,
        typer.Option(
            "--experts",
            "--regimes",
            help="Number of expert networks; of anomalies one for each regime.",
            min=1,
            show_default="1, 4 or 16, chosen on validation examples; for translation one per label",
        ),
    ] = None,
    router: Annotated[
        Literal["learned", "kmeans", "clusters", "hash", "random"] | None,
        typer.Option(help="Method that assigns inputs to experts.", show_default="learned"),
    ] = None,
    trunk: Annotated[
        bool | None,
        typer.Option(
            "--trunk/--no-trunk",
            help="Build experts on the router's hidden layer.",
            show_default="--trunk; for texts --no-trunk",
            rich_help_panel=RARE,
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Run folder whose model is the teacher.",
            show_default="none; for images one is trained first",
        ),
    ] = None,
    select: Annotated[
        Literal["greedy", "random", "none"] | None,
        typer.Option(
            help="Expert to copy into others after an epoch.",
            show_default="none",
            rich_help_panel=RARE,
        ),
    ] = None,
    select_into: Annotated[
        Literal["all", "weakest", "unused"] | None,
        typer.Option(
            help="Experts that --select copies into.", show_default="all", rich_help_panel=RARE
        ),
    ] = None,
    distribute: Annotated[
        Literal["none", "mirrored", "workers"] | None,
        typer.Option(
            help="Train on all processors of this machine (mirrored), or on the machines in the "
            "variable TF_CONFIG (workers).",
            show_default="none",
            rich_help_panel=RARE,
        ),
    ] = None,
    combine: Annotated[
        Literal["top", "sum"] | None,
        typer.Option(
            help="Route to the top experts, or sum all of them.",
            show_default="top",
            rich_help_panel=RARE,
        ),
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(help="Experts that answer an input.", min=1, show_default="1")
    ] = None,
    dense: Annotated[
        Literal["active", "all", "buckets", "one"] | None,
        typer.Option(
            help="Train a dense baseline instead: of the active size, of all experts' size (texts: "
            "by more buckets), or one expert with the trunk.",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Largest number of epochs of the mixture stage.",
            min=1,
            show_default="texts 6, images 6, others 16",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Random seed.", min=0, show_default="0"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Training settings; options have priority."),
    ] = None,
    image_size: ImageSize = None,
    backbone: Backbone = None,
    backbone_layer: BackboneLayer = None,
    backbone_input: BackboneInput = None,
    fine_tune: Annotated[
        int | None,
        typer.Option(
            metavar="EPOCHS",
            help="Epochs at the end that train the backbone too.",
            min=0,
            show_default="0",
            rich_help_panel=BACKBONE,
        ),
    ] = None,
    augment: Annotated[
        bool | None,
        typer.Option(
            "--augment/--no-augment",
            help="Change photos at random in training: mirrored, shifted, ...",
            show_default="--augment; with a backbone --no-augment",
        ),
    ] = None,
    false_alarms: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Share of normal rows that anomaly detection may flag.",
            show_default="0.01",
        ),
    ] = None,
    width: Width = None,
    model: Model = None,
    router_model: RouterModel = None,
    gain: Annotated[
        bool,
        typer.Option(
            help="With --experts, measure the gain over one network.", rich_help_panel=RARE
        ),
    ] = True,
    pictures: Annotated[
        bool, typer.Option(help="Draw pictures into the run folder.", rich_help_panel=RARE)
    ] = True,
    force: Force = False,
) -> None:
    """Train a sparse expert model on a data set.

    Example: edge-experts train --data sentiment --out sentiment.run --experts 4
    """
    require_training()
    from ...format.atomic import refuse_existing
    from ...run_folder import PICTURES

    refuse_existing(out, force=force)
    columns = columns_of(label_column, drop, group_column, time_column, keep, normal_label)
    settings = {} if config is None else read_config(config)
    given = {
        "experts": experts,
        "router": router,
        "trunk": trunk,
        "select": select,
        "select_into": select_into,
        "distribute": distribute,
        "combine": combine,
        "top_k": top_k,
        "dense": dense,
        "epochs": epochs,
        "augment": augment,
        "backbone": None if backbone is None else str(backbone),
        "backbone_layer": backbone_layer,
        "backbone_input": backbone_input,
        "fine_tune": fine_tune,
        "false_alarms": false_alarms,
        "width": width,
        "model": model,
        "router_model": router_model,
        "seed": seed,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    settings.setdefault("measure_gain", gain)
    from ... import datasets
    from ...converters.tasks import CONVERSIONS
    from ...converters.trial import DEFAULT, ConversionTrial
    from ...training import TrainConfig
    from ...training import train as run_training
    from ...training.default_settings import config_of
    from ...training.tasks import training_of

    try:
        TrainConfig(**settings)  # checked before any download
    except TypeError as error:
        raise UsageError(f"{config}: {error}") from None
    side = photo_size(data, image_size, settings.get("backbone"), settings.get("backbone_layer"))
    dataset = datasets.load(
        data,
        settings.get("seed", 0),
        task,
        columns,
        image_size=side,
        window=window,
        stride=stride,
    )
    print_notes(dataset)
    own = training_of(dataset.task_type).settings(dataset)
    if false_alarms is not None and "false_alarms" not in own:
        raise UsageError(f"--false-alarms is for --task anomaly, not for {dataset.task}; remove it")
    trial = ConversionTrial()
    run = run_training(
        dataset,
        out,
        config_of(dataset, **settings, trial=trial),
        teacher=teacher,
        force=force,
        pictures=pictures,
    )
    print(f"{out}: {training_of(dataset.task_type).summary(run)}")
    if (drawn := out / PICTURES).exists():
        print(
            f"Pictures: {', '.join(str(path) for path in sorted(drawn.iterdir()))}", file=sys.stderr
        )
    if CONVERSIONS.has(dataset.task_type):
        print_convert(out, *([] if trial.recipe == DEFAULT else ["--quantization", trial.recipe]))


def read_config(path: Path) -> dict[str, Any]:
    """Read the settings of a TOML file.

    Raises:
        UsageError: the file does not exist, is not TOML, or has an unsupported encoding.
    """
    from ...datasets.encodings import read_text

    try:
        return tomllib.loads(read_text(path))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: is a folder; name a file") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}") from None
