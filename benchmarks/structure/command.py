"""Command `structure`: measures checkouts and prints tables or JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .. import output
from . import tables
from .checkout import SOURCE_FOLDERS, commit_id, commit_tree
from .measurement import SourceStructure, measure

WORKING_TREE = "working tree"


def structure(
    commit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REV",
            help="Commit to measure, repeatable; without it, the working tree.",
            show_default=False,
        ),
    ] = None,
    repo: Annotated[Path, typer.Option(help="Checkout to measure.")] = Path(),
    details: Annotated[
        bool, typer.Option("--details", help="List the places behind the figures.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Measure imports, sizes and names of the source.

    One column for each commit: import cycles, layers, lines, docstrings, command lines.

    Example: python -m benchmarks structure --commit 184765d --commit HEAD
    """
    measured = _measure_all(repo, commit or [])
    content = [{"commit": label, "id": sha, **asdict(figures)} for label, sha, figures in measured]
    text = as_text({label: figures for label, _, figures in measured}, with_details=details)
    output.show({"commits": content}, (), json=json, notes=[text])


def as_text(structures: dict[str, SourceStructure], *, with_details: bool) -> str:
    """Format tables of all figures and, on request, the places behind them."""
    parts = [tables.comparison(structures)]
    if with_details:
        parts += [
            f"== {label} ==\n\n{tables.details(figures)}" for label, figures in structures.items()
        ]
    return "\n\n".join(parts)


def _measure_all(repo: Path, revisions: list[str]) -> list[tuple[str, str | None, SourceStructure]]:
    if not revisions:
        if not any((repo / folder).is_dir() for folder in SOURCE_FOLDERS):
            raise typer.BadParameter(
                f"{repo} has none of the folders {', '.join(SOURCE_FOLDERS)}", param_hint="--repo"
            )
        return [(WORKING_TREE, None, measure(repo))]
    measured: list[tuple[str, str | None, SourceStructure]] = []
    for revision in dict.fromkeys(revisions):
        sha = commit_id(repo, revision)
        if sha is None:
            raise typer.BadParameter(f"{revision!r} is no commit of {repo}", param_hint="--commit")
        with commit_tree(repo, sha) as tree:
            measured.append((revision, sha, measure(tree)))
    return measured
