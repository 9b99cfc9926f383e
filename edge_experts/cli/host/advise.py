from __future__ import annotations

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
from ..hints import print_next, unused
from ..shared_options import (
    Json,
    Source,
    Stride,
    Task,
    Window,
    duration,
    print_json,
    require_training,
    size,
)


def advise(
    data: Source,
    task: Task = None,
    label_column: LabelColumn = None,
    drop: Drop = None,
    keep: Keep = None,
    group_column: GroupColumn = None,
    time_column: TimeColumn = None,
    window: Window = None,
    stride: Stride = None,
    memory: Annotated[
        int | None,
        typer.Option(
            parser=size,
            metavar="SIZE",
            help="Memory limit of a model on the board, such as 500KB.",
            show_default="no limit",
        ),
    ] = None,
    latency: Annotated[
        float | None,
        typer.Option(
            parser=duration,
            metavar="TIME",
            help="Latency limit of an answer on this machine, such as 2ms.",
            show_default="no limit",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed.", min=0)] = 0,
    json: Json = False,
) -> None:
    """Tell whether sparse experts are likely to pay on a data set.

    Reports their number, their size, and the confidence too. Trains and measures small models on a
    part of the data, in a few minutes.

    Example: edge-experts advise --data sentiment --memory 500KB
    """
    require_training()
    from ... import datasets

    columns = columns_of(label_column, drop, group_column, time_column, keep)
    dataset = datasets.load(data, seed, task, columns, window=window, stride=stride)
    print_notes(dataset)
    from ...experiments.advice import advice

    found = advice.advise(dataset, memory=memory, latency_us=latency, seed=seed)
    if json:
        print_json(found.to_json())
        return
    print(advice.as_text(found))
    words = [found.verdict.command, "--data", data]
    words += ["--task", task] if task else []
    words += as_options(columns)
    for option, rows in (("--window", window), ("--stride", stride)):
        words += [] if rows is None else [option, str(rows)]
    if found.verdict.command == "train":
        words += ["--out", str(unused(Path(f"{Path(data).stem}.run")))]
    print_next(*words, *found.verdict.options.split())
