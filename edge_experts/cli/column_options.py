"""Options that name columns of a .csv or .tsv, and what commands say about the columns."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..datasets import Columns, Dataset

_PANEL = "Columns of a .csv or .tsv"
LabelColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column of labels, or of numbers to predict.",
        rich_help_panel=_PANEL,
        show_default="label or target",
    ),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Column to leave out; repeatable.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Column to use although it holds times or row numbers; repeatable.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
GroupColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column of groups, such as persons; a group is in one split only.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
TimeColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column of times; the last fifth of the rows is the test.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]


def columns_of(
    label: str | None = None,
    drop: list[str] | None = None,
    group: str | None = None,
    time: str | None = None,
    keep: list[str] | None = None,
    *,
    recorded: Mapping[str, Any] | None = None,
) -> Columns:
    """The choice of columns that a command was given.

    Args:
        recorded: of a run or a bundle; what was given goes before.

    Raises:
        UsageError: options that exclude each other.
    """
    from ..datasets import Columns

    given = {
        "label": label,
        "drop": tuple(drop or ()),
        "group": group,
        "time": time,
        "keep": tuple(keep or ()),
    }
    given = {name: value for name, value in given.items() if value}
    base = Columns.from_json(recorded)
    if "group" in given or "time" in given:
        base = replace(base, group=None, time=None)
    kept = tuple(role for role in base.recorded if role not in given)
    return replace(base, **given, recorded=kept)  # type: ignore[arg-type]


def as_options(columns: Columns) -> list[str]:
    """The options that make this choice."""
    single = {"label": columns.label, "group": columns.group, "time": columns.time}
    made = [(f"--{role}-column", name) for role, name in single.items() if name is not None]
    made += [("--drop", name) for name in columns.drop] + [
        ("--keep", name) for name in columns.keep
    ]
    return [word for option in made for word in option]


def print_notes(dataset: Dataset) -> None:
    """Say on stderr what was found in the data."""
    for note in dataset.notes:
        print(f"{dataset.name}: {note}", file=sys.stderr)
