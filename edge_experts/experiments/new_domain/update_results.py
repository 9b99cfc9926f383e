"""Results of the scenario: one row for each way to learn the new domain."""

from __future__ import annotations

from dataclasses import dataclass

from ...text_table import aligned
from ...training.gains import Gain


@dataclass(frozen=True)
class UpdateRow:
    """One deployed model.

    Attributes:
        old, new: accuracy of its int8 bundle on the test examples of the old and the new domains.
        old_change: of the accuracy on the old ones against the model it follows; None for a model
            that was deployed first.
        seconds: of training.
        shipped_bytes: files that a board must receive to run it in place of what it had.
    """

    name: str
    old: float
    new: float
    old_change: Gain | None
    seconds: float
    shipped_bytes: int


@dataclass(frozen=True)
class Arrival:
    """One run of the scenario.

    Attributes:
        old_examples, new_examples: test examples.
        before: the sparse and the dense model that were deployed first.
        after: the ways to learn the new domain.
    """

    old_name: str
    new_name: str
    old_examples: int
    new_examples: int
    before: tuple[UpdateRow, ...]
    after: tuple[UpdateRow, ...]


def as_rows(arrival: Arrival) -> list[tuple[str, ...]]:
    """The models as rows of cells below a header; `legend` explains it."""
    header = ("", "old %", "change (95 %)", "new %", "s", "kB")
    return [header, *map(_cells, (*arrival.before, *arrival.after))]


def legend(arrival: Arrival) -> str:
    """Meaning of the columns, in one line."""
    return (
        f"old: {arrival.old_examples:,} of {arrival.old_name}; new: {arrival.new_examples:,} of "
        f"{arrival.new_name}; s: training; kB: sent to a board"
    )


def as_text(arrival: Arrival) -> str:
    """The same as a table, the models that were deployed first apart from those that follow."""
    lines = aligned(as_rows(arrival))
    first = 1 + len(arrival.before)
    return "\n".join([*lines[:first], "", *lines[first:], "", legend(arrival)])


def _cells(row: UpdateRow) -> tuple[str, ...]:
    change = row.old_change
    return (
        row.name,
        f"{100 * row.old:.1f}",
        f"{change.points:+.1f} ({change.low:+.1f} to {change.high:+.1f})" if change else "",
        f"{100 * row.new:.1f}",
        f"{row.seconds:.0f}",
        f"{row.shipped_bytes / 1000:,.0f}",
    )
