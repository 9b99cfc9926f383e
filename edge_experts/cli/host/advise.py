from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..column_options import (
    Drop,
    GroupColumn,
    Keep,
    LabelColumn,
    TimeColumn,
    as_options,
    columns_of,
    print_notes,
)
from ..options import Json, Source, Task, duration, print_json, require_training, size


def advise(
    data: Source,
    task: Task = None,
    label_column: LabelColumn = None,
    drop: Drop = None,
    keep: Keep = None,
    group_column: GroupColumn = None,
    time_column: TimeColumn = None,
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
    from ... import datasets

    columns = columns_of(label_column, drop, group_column, time_column, keep)
    dataset = datasets.load(data, seed, task, columns)
    print_notes(dataset)
    from ...experiments.advice import advice

    found = advice.advise(dataset, memory=memory, latency_us=latency, seed=seed)
    if json:
        print_json(found.to_json())
        return
    print(advice.as_text(found))
    out = f" --out {Path(data).stem}.run" if found.verdict.command == "train" else ""
    source = shlex.join([data, *(["--task", task] if task else []), *as_options(columns)])
    command = f"edge-experts {found.verdict.command} --data {source}{out} {found.verdict.options}"
    print(f"Next: {command}", file=sys.stderr)
