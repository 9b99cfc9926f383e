"""Command that measures bundles with a pretrained network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_experts.cli.shared_options import Json, require_training
from edge_experts.errors import UsageError

from .. import output

PARTS = ("economy", "few", "transfer", "colour", "growth")
_COLOUR_EPOCHS = 40


def backbone(
    folder: Annotated[
        Path, typer.Argument(help="Folder of networks, runs and bundles.", show_default=False)
    ],
    part: Annotated[
        list[str] | None,
        typer.Option(help="Part to measure, repeatable.", show_default=", ".join(PARTS)),
    ] = None,
    alpha: Annotated[
        float, typer.Option(help="Width of the untrained MobileNetV2 of economy and few.")
    ] = 1.0,
    images: Annotated[
        int, typer.Option(min=500, help="Images that the network of transfer is trained on.")
    ] = 5000,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of that training.")] = 4,
    json: Json = False,
) -> None:
    """Measure bundles with one pretrained network.

    economy: eight heads on one MobileNetV2, eight whole networks, and one head.

    few: time to train on 86 images.

    transfer: accuracy with a network pretrained on other images, by quantization.

    colour: accuracy, bytes, memory and latency on real photos, with a network pretrained on emoji.

    growth: a new site's head is added.

    Example: python -m benchmarks backbone work --part economy
    """
    require_training()
    for name in part or ():
        if name not in PARTS:
            raise UsageError(f"--part must be one of {', '.join(PARTS)}, got {name!r}")
    from . import colour, economy, few, growth, transfer

    folder.mkdir(parents=True, exist_ok=True)
    measured = {
        "economy": lambda: economy.measure(folder, alpha),
        "few": lambda: few.measure(folder, alpha),
        "transfer": lambda: transfer.measure(folder, images, epochs),
        "colour": lambda: colour.measure(folder, _COLOUR_EPOCHS),
        "growth": lambda: growth.measure(folder, images, epochs),
    }
    results = {name: measured[name]() for name in part or PARTS}
    table = [["", "", ""]] + [
        [name if place == 0 else "", figure.name, figure.shown]
        for name, figures in results.items()
        for place, figure in enumerate(figures)
    ]
    content = {
        name: {figure.name: figure.value for figure in figures} for name, figures in results.items()
    }
    output.show(content, table, json=json)
