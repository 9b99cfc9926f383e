from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from .options import (
    Json,
    Model,
    Quantization,
    RouterModel,
    Source,
    Width,
    print_json,
    require_training,
)


def compare(
    data: Source,
    seeds: Annotated[
        int, typer.Option(help="How many trainings of each, by seeds 0, 1 ...", min=1, max=10)
    ] = 1,
    experts: Annotated[
        int | None, typer.Option(help="How many expert networks.  [default: 4]", min=2)
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Of the mixture, at most.", min=1, show_default=False)
    ] = None,
    quantization: Quantization = "int8",
    config: Annotated[
        Path | None, typer.Option(help="A TOML file of training settings.", show_default=False)
    ] = None,
    width: Width = None,
    model: Model = None,
    router_model: RouterModel = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Keep all runs and bundles in this folder.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Train sparse experts and dense networks alike, and compare them as deployed.

    One dense network is as large as what the sparse model asks for one input, the other as large
    as all its experts together.

    Example: edge-experts compare --data sentiment --seeds 3
    """
    require_training()
    from .. import datasets
    from .train import read_config

    settings = {} if config is None else read_config(config)
    given = {
        "experts": experts,
        "epochs": epochs,
        "width": width,
        "model": model,
        "router_model": router_model,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    dataset = datasets.load(data)
    from ..training import comparison, config_for

    with tempfile.TemporaryDirectory() as temporary:
        result = comparison.compare(
            dataset,
            out or Path(temporary),
            config=config_for(dataset.kind, **settings),
            seeds=range(seeds),
            quantization=quantization,
        )
    if json:
        print_json(result.to_json())
    else:
        print(comparison.as_text(result))
