from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..column_options import (
    Drop,
    GroupColumn,
    LabelColumn,
    TimeColumn,
    columns_of,
    print_notes,
)
from ..hints import print_convert
from ..shared_options import Force, Json, Source, print_json, require_training


def extend(
    run: Annotated[Path, typer.Argument(help="Run folder to extend.", show_default=False)],
    data: Source,
    out: Annotated[Path, typer.Option(help="Run folder to write.", show_default=False)],
    retrain: Annotated[
        int | None,
        typer.Option(
            metavar="INDEX",
            help="Train this expert further instead of adding one.",
            min=0,
        ),
    ] = None,
    old_data: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Data that the run was trained on.",
            show_default="up to 2,000 examples that the run folder keeps",
        ),
    ] = None,
    epochs: Annotated[
        int,
        typer.Option(
            help="Most epochs of the expert; the router has three times as many.",
            min=1,
            show_default="10; with few rows as many as 500 steps need",
        ),
    ] = 10,
    seed: Annotated[int, typer.Option(help="Random seed.", min=0)] = 0,
    max_forgetting: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            help="Exit code 5 if the old test examples lose more accuracy (R2, F1) than this.",
            show_default="no limit",
        ),
    ] = None,
    label_column: LabelColumn = None,
    drop: Drop = None,
    group_column: GroupColumn = None,
    time_column: TimeColumn = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Add one expert for new data, or retrain one.

    All other experts stay unchanged.

    The router is trained to route inputs like the new ones to this expert. The command prints the
    loss on the old test examples and the gain on the new ones. After an interruption, the same
    command resumes.

    Example: edge-experts extend sentiment.run --data tweets.csv --out extended.run
    """
    require_training()
    from ...format.atomic import refuse_existing
    from ...run_folder import read_features, read_run

    refuse_existing(out, force=force)
    earlier = read_run(run)
    trained_with, task = earlier.config.get("seed") or 0, earlier.task_type
    from ... import datasets
    from ...training import extend as run_extension
    from ...training.extension.teaching import EPOCHS

    # With another seed, test examples of one command would be training examples of the other.
    columns = columns_of(label_column, drop, group_column, time_column, recorded=earlier.columns)
    features = read_features(run, earlier)
    new = datasets.load(data, trained_with, task, columns, features)
    print_notes(new)
    recorded = columns_of(recorded=earlier.columns)
    old = (
        None
        if old_data is None
        else datasets.load(old_data, trained_with, task, recorded, features)
    )
    made = run_extension(
        run,
        new,
        out,
        retrain=retrain,
        old_data=old,
        epochs=epochs,
        seed=seed,
        max_forgetting=max_forgetting,
        force=force,
    )
    assert made.extends is not None
    if json:
        print_json({"schema_version": "1.0", "run": str(out), **made.extends})
        return
    kept = ", ".join(map(str, made.extends["kept"]))
    done = "added" if made.extends["added"] else "retrained"
    changed = ", ".join(map(str, made.extends["added"] or made.extends["retrained"]))
    print(
        f"{out}: expert {changed} {done}, it started as {made.extends['started_from']}; the router "
        f"was retrained; as they were: experts {kept}"
    )
    gains = made.extends["gain"]
    print("test examples       before    after    points    95 % interval")
    for name, change in made.extends[made.extends["score"]].items():
        count, gain = f"{name} ({change['examples']:,})", gains[name]
        print(
            f"  {count:<16}{change['before']:>8.4f} {change['after']:>8.4f}{gain['points']:>+10.1f}"
            f"    {gain['low']:+.1f} to {gain['high']:+.1f}"
        )
    if gains["new"]["low"] > 0:
        base = run.with_name(f"{run.stem}.bundle")
        if base.exists():
            print_convert(out, "--base", base)
        else:
            print(f"--base names the bundle of {run}: its unchanged files stay.", file=sys.stderr)
            print_convert(out)
        return
    what, tried = "retrained", "more training on them"
    if made.extends["added"]:
        what, tried = "new", "a copy of the best expert and a fresh network"
    print(
        f"The {what} expert gained nothing on new data that {gains['new']['examples']:,} test rows "
        f"can show. Tried: {tried}, with {made.extends['taught_rows']:,} training rows"
        f"{'' if epochs == EPOCHS else f' and --epochs {epochs}'}. Instead of converting "
        f"{out}, collect more rows like these and extend {run} again"
        f"{'' if epochs == EPOCHS else ', without --epochs'}, or keep {run} as it is.",
        file=sys.stderr,
    )
