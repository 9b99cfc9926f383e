from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ...errors import UsageError
from ..options import Force, Model, RouterModel, Source, Task, Width, require_training


def train(
    data: Source,
    out: Annotated[Path, typer.Option(help="The run folder to write.", show_default=False)],
    task: Task = None,
    experts: Annotated[
        int | None,
        typer.Option(
            help="How many expert networks.  [default: 1, 4 or 16, chosen by validation examples; "
            "of translations, one a label]",
            min=1,
        ),
    ] = None,
    router: Annotated[
        Literal["learned", "kmeans", "clusters", "hash", "random"] | None,
        typer.Option(
            help="How inputs are told apart: which expert is best, what lies together, labels that "
            "a teacher confuses; or, to measure that against, by hashing and at random.  "
            "[default: learned]"
        ),
    ] = None,
    trunk: Annotated[
        bool | None,
        typer.Option(
            "--trunk/--no-trunk",
            help="Experts build on the router's hidden layer.  [default: all but texts]",
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(
            help="A run folder whose model teaches this one; else one may be trained first.",
            show_default=False,
        ),
    ] = None,
    select: Annotated[
        Literal["greedy", "random", "none"] | None,
        typer.Option(help="Copy the best, or any, expert to the others.  [default: none]"),
    ] = None,
    select_into: Annotated[
        Literal["all", "weakest", "unused"] | None,
        typer.Option(help="Which others it is copied to.  [default: all]"),
    ] = None,
    distribute: Annotated[
        Literal["none", "mirrored", "workers"] | None,
        typer.Option(
            help="Train on all processors of this machine, or on the machines in TF_CONFIG.  "
            "[default: none]"
        ),
    ] = None,
    combine: Annotated[
        Literal["top", "sum"] | None,
        typer.Option(help="Ask the router's choice, or sum all experts.  [default: top]"),
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(help="How many experts answer an input.  [default: 1]", min=1)
    ] = None,
    dense: Annotated[
        Literal["active", "all", "buckets", "one"] | None,
        typer.Option(
            help="Train the dense rival instead: as large as what a sparse model asks for one "
            "input, or as all its experts together (buckets: of texts, by more buckets instead of "
            "wider ones), or one expert with the router's trunk."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Of the mixture, at most.", min=1, show_default=False)
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="For everything that is drawn at random.  [default: 0]", min=0),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A TOML file of settings; options given here win.", show_default=False),
    ] = None,
    width: Width = None,
    model: Model = None,
    router_model: RouterModel = None,
    gain: Annotated[
        bool,
        typer.Option(
            help="With --experts, train one network too, and say what experts gain over it."
        ),
    ] = True,
    pictures: Annotated[
        bool, typer.Option(help="Draw what came of it, into the run folder.")
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
        "width": width,
        "model": model,
        "router_model": router_model,
        "seed": seed,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    settings.setdefault("measure_gain", gain)
    from ... import datasets
    from ...training import TrainConfig
    from ...training import train as run_training
    from ...training.recipes import config_of
    from ...training.tasks import training_of

    try:
        TrainConfig(**settings)  # before anything is fetched
    except TypeError as error:
        raise UsageError(f"{config}: {error}") from None
    dataset = datasets.load(data, settings.get("seed", 0), task)
    run = run_training(
        dataset,
        out,
        config_of(dataset, **settings),
        teacher=teacher,
        force=force,
        pictures=pictures,
    )
    print(f"{out}: {training_of(dataset.task_type).summary(run)}")
    if (drawn := out / PICTURES).exists():
        print(
            f"Pictures: {', '.join(str(path) for path in sorted(drawn.iterdir()))}", file=sys.stderr
        )
    print(f"Next: edge-experts convert {out} --out {out.stem}.bundle", file=sys.stderr)


def read_config(path: Path) -> dict[str, Any]:
    """The settings of a TOML file.

    Raises:
        UsageError: there is no such file, or it is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from None
