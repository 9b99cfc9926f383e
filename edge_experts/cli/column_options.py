"""Options that select columns of a .csv or .tsv, and notes on the columns."""

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
        help="Column to keep although it holds times or row numbers; repeatable.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
GroupColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column of groups, such as persons; each group is in one split only.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
NormalLabel = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LABEL",
        help="Label of normal rows, for anomalies; repeatable.",
        rich_help_panel=_PANEL,
        show_default="normal, ok, good, ...",
    ),
]
TimeColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column of times; the last fifth of the rows is the test split.",
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
    normal: list[str] | None = None,
    *,
    recorded: Mapping[str, Any] | None = None,
) -> Columns:
    """Build the choice of columns from a command's options.

    Args:
        recorded: choice of a run or a bundle; the given options have priority.

    Raises:
        UsageError: two options exclude each other.
    """
    from ..datasets import Columns

    given = {
        "label": label,
        "drop": tuple(drop or ()),
        "group": group,
        "time": time,
        "keep": tuple(keep or ()),
        "normal": tuple(normal or ()),
    }
    given = {name: value for name, value in given.items() if value}
    base = Columns.from_json(recorded)
    if "group" in given or "time" in given:
        base = replace(base, group=None, time=None)
    kept = tuple(role for role in base.recorded if role not in given)
    return replace(base, **given, recorded=kept)  # type: ignore[arg-type]


def as_options(columns: Columns) -> list[str]:
    """Options that reproduce this choice."""
    single = {"label": columns.label, "group": columns.group, "time": columns.time}
    made = [(f"--{role}-column", name) for role, name in single.items() if name is not None]
    several = {"drop": columns.drop, "keep": columns.keep, "normal-label": columns.normal}
    made += [(f"--{option}", name) for option, names in several.items() for name in names]
    return [word for option in made for word in option]


def print_notes(dataset: Dataset) -> None:
    """Print notes on the data to stderr."""
    for note in dataset.notes:
        print(f"{dataset.name}: {note}", file=sys.stderr)
