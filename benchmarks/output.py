"""Output of the measuring programs: a table with notes or JSON on stdout, warnings on stderr."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json import dumps

import typer

from edge_experts.text_table import aligned

_SCHEMA_VERSION = "1.0"


def show(
    content: Mapping[str, object],
    table: Sequence[Sequence[str]],
    *,
    json: bool,
    notes: Sequence[str] = (),
) -> None:
    """Print a program's result.

    Args:
        content: the JSON object, without its schema version.
        table: rows of cells, the header first; empty where the notes say everything.
        json: print `content` rather than the table and the notes.
        notes: lines below the table.
    """
    if json:
        whole = {"schema_version": _SCHEMA_VERSION, **content}
        typer.echo(dumps(whole, ensure_ascii=False, indent=2))
        return
    for line in (*(aligned(table) if table else ()), *notes):
        typer.echo(line)


def say(line: str) -> None:
    """Print one line of progress at once; other programs may read it."""
    typer.echo(line)


def warn(line: str) -> None:
    """Print a line on stderr, where it does not disturb a table or JSON."""
    typer.echo(line, err=True)
