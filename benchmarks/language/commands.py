"""Command that compares experts with dense networks as language models."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge_experts.cli.shared_options import Json, require_training

from .. import output


def language_models(
    data: Annotated[
        str, typer.Option(help="help, prose, a .txt file or a folder of them.")
    ] = "help",
    seeds: Annotated[int, typer.Option(min=1, max=10, help="Trainings of each network.")] = 3,
    out: Annotated[
        Path, typer.Option(help="File of JSON lines; a killed study goes on there.")
    ] = Path("language-models.jsonl"),
    json: Json = False,
) -> None:
    """Compare experts and dense language models.

    Learning rates are searched on validation documents. Takes many hours; the same
    command resumes.

    Example: python -m benchmarks language-models --data help --seeds 3
    """
    require_training()
    from .protocol import run
    from .study_summary import as_table, notes

    records = run(data, seeds, out, output.warn)
    content = {"trainings": [asdict(one) for one in records]}
    output.show(content, as_table(records), json=json, notes=notes(records))
