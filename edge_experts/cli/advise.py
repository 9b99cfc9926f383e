from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import Json, Source, print_json, require_training, size

_UNITS = {"us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6}


def duration(text: str) -> float:
    """'800us', '5ms' or '0.1s' as microseconds."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-zµ]+)\s*", text)
    if not match or match[2].lower() not in _UNITS:
        raise typer.BadParameter(f"must be a time such as 800us, 5ms or 0.1s, got {text!r}")
    return float(match[1]) * _UNITS[match[2].lower()]


def advise(
    data: Source,
    memory: Annotated[
        int | None,
        typer.Option(
            parser=size,
            metavar="SIZE",
            help="What a model may take in the board's memory, such as 500KB.",
            show_default=False,
        ),
    ] = None,
    latency: Annotated[
        float | None,
        typer.Option(
            parser=duration,
            metavar="TIME",
            help="How long an answer may take on this machine, such as 2ms; boards are slower.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="For what is drawn at random.", min=0)] = 0,
    json: Json = False,
) -> None:
    """Take a quick look at a data set: would sparse experts pay, how many, and how big?

    Trains and measures small models on a part of the data, in a few minutes.

    Example: edge-experts advise --data sentiment --memory 500KB
    """
    require_training()
    from .. import datasets

    dataset = datasets.load(data, seed)
    from ..training import advice

    found = advice.advise(dataset, memory=memory, latency_us=latency, seed=seed)
    if json:
        print_json(found.to_json())
        return
    print(advice.as_text(found))
    out = f" --out {Path(data).stem}.run" if found.verdict.command == "train" else ""
    command = f"edge-experts {found.verdict.command} --data {data}{out} {found.verdict.options}"
    print(f"Next: {command}", file=sys.stderr)
