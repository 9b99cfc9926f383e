"""Options of commands that reach boards over ssh."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from ...errors import EdgeExpertsError
from ..help import RARE

RootOnBoard = Annotated[
    str, typer.Option("--root", help="Folder on the board for all files.", metavar="FOLDER")
]
Ssh = Annotated[
    str,
    typer.Option("--ssh", "-e", metavar="COMMAND", help="ssh with options, as 'ssh -p 2222'."),
]
BoardPython = Annotated[
    str,
    typer.Option("--python", metavar="COMMAND", help="The board's Python, 3.11 to 3.13."),
]
Wheels = Annotated[
    Path | None,
    typer.Option(
        "--wheels",
        metavar="FOLDER",
        help="Folder of wheels for the board.",
        show_default="fetched by pip",
        rich_help_panel=RARE,
    ),
]
Unit = Annotated[
    bool, typer.Option("--unit", help="Install the HTTP server too, with a systemd unit.")
]
BenchmarkThere = Annotated[
    bool, typer.Option("--benchmark/--no-benchmark", help="Benchmark the bundle there.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only report what would be sent.")]


def exit_for(errors: Iterable[EdgeExpertsError | None]) -> None:
    """Print the failures of boards to stderr, and exit with the code of the first one."""
    failed = [error for error in errors if error is not None]
    for error in failed:
        print(f"edge-experts: {error}", file=sys.stderr)
    if failed:
        raise typer.Exit(failed[0].exit_code)
