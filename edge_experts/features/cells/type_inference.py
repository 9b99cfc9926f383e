"""Inference of column types, from the majority of their cells."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...errors import DataError
from . import dates
from .booleans import are_booleans
from .column_kinds import BooleanColumn, CategoryColumn, Column, DateColumn, NumberColumn
from .gaps import is_gap, values_spelled_as_gaps
from .number_columns import MOSTLY, Cells, number_format
from .numerals import LARGEST, NumberFormat

MOST_VALUES = 100  # of a category; a column of more is an identifier rather than a category
EMPTY = "no cell has a value"  # reason for leaving a column out
_LEAST_ROWS = 8  # fewer are too few to detect clocks and row numbers
_LEAST_TEXTS = 20  # number of different texts from which unique texts are not a category
_ID_NAME = re.compile(
    r"(?:.*[^a-z])?(?:id|ids|uid|uuid|guid|index|idx|row|rows|nr|no|rownum|unnamed.*)", re.I
)


@dataclass(frozen=True)
class TypedColumn:
    """Inferred type of a column of a file.

    Attributes:
        column: None if it is left out.
        reason: why it is left out, in words; "" otherwise.
        clock: True if it contains times, or numbers that increase from row to row.
        notes: sentences for the user.
        spare: its type if no other column remains; None if it cannot be used.
    """

    name: str
    column: Column | None
    reason: str = ""
    clock: bool = False
    notes: tuple[str, ...] = ()
    spare: Column | None = None


def typed(
    where: str,
    name: str,
    cells: Sequence[str],
    lines: Sequence[int],
    *,
    keep: bool = False,
    comma: bool | None = None,
) -> TypedColumn:
    """Infer the type of one column of a file.

    Args:
        where: the file, for messages.
        cells, lines: the cell of each row, and its line in the file.
        keep: True to keep the column even if it contains times or row numbers.
        comma: see `number_format`.

    Raises:
        DataError: some cells do not fit the type of the majority; names line, column and value.
    """
    stripped = [cell.strip() for cell in cells]
    counts = Counter(stripped)
    first: dict[str, int] = {}
    for text, line in zip(stripped, lines, strict=True):
        first.setdefault(text, line)
    filled = {text: count for text, count in counts.items() if not is_gap(text)}
    gaps = [text for text in counts if text and is_gap(text)]
    if not filled and not values_spelled_as_gaps(counts):
        return TypedColumn(name, None, EMPTY)
    every = Cells(where, name, filled, first)
    if filled and are_booleans(filled):
        return TypedColumn(name, BooleanColumn(name), notes=_gap_notes(name, every, counts, gaps))
    clock = _date_reason(every)
    if clock and not keep:
        return TypedColumn(name, None, clock, clock=_are_in_order(stripped))
    if clock:
        return _dates(every, stripped)
    found, note = number_format(every, comma=comma) if filled else (None, "")
    if found is None:
        said = (f"column {name!r} is {note}",) if note else ()
        return _category(every, counts, keep=keep, notes=said)
    numbers = [None if is_gap(text) else found.number(text) for text in stripped]
    reason, rising = _row_reason(name, numbers)
    binary = {number for number in numbers if number is not None} <= {0.0, 1.0}
    made = NumberColumn(name, found, is_binary=binary)
    if reason and not keep:
        return TypedColumn(name, None, reason, clock=rising, spare=made)
    endless = [text for text in filled if abs(found.number(text) or 0) > LARGEST]
    gaps = [text for text in counts if text and (is_gap(text) or text in endless)]
    notes = _gap_notes(name, every, counts, gaps)
    return TypedColumn(name, made, clock=rising, notes=notes)


def _gap_notes(
    name: str, cells: Cells, counts: Mapping[str, int], gaps: Sequence[str]
) -> tuple[str, ...]:
    if not gaps:
        return ()
    every = Cells(cells.where, name, counts, cells.lines)
    count, total = every.count(gaps), sum(counts.values())
    return (f"column {name!r}: {count} of {total} cells read as gaps: {every.listed(gaps)}",)


def _date_reason(cells: Cells) -> str:
    """Describe the times in a column as a reason to leave it out; "" without times."""
    texts = [text for text in cells.counts if dates.is_date(text)]
    if texts and cells.count(texts) >= MOSTLY * cells.total:
        return f"dates or times, such as {texts[0]!r:.40}"
    if dates.are_days(list(cells.counts)) and len(cells.counts) > 1:
        return f"dates, such as {next(iter(cells.counts))!r:.40}"
    return ""


def _dates(cells: Cells, stripped: Sequence[str]) -> TypedColumn:
    """Create a column of times that the user asked to keep.

    Raises:
        DataError: a cell is not a date, or the order of day and month is ambiguous.
    """
    texts = [text for text in stripped if not is_gap(text)]
    month_first = dates.has_month_first(texts)
    if month_first is None:
        raise cells.error("day and month cannot be told apart; write dates as 2024-01-31")
    odd = [text for text in cells.counts if dates.moment(text, month_first=month_first) is None]
    if odd:
        raise cells.error(f"holds dates or times, but not {cells.listed(odd)}; correct these")
    made = DateColumn(cells.name, month_first)
    return TypedColumn(cells.name, made, clock=_are_in_order(stripped))


def _are_in_order(texts: Sequence[str]) -> bool:
    """Test for times that increase from row to row, nearly always, as in a recording."""
    month_first = bool(dates.has_month_first(texts))
    found = [dates.moment(text, month_first=month_first) for text in texts]
    times = [when for when in found if when is not None]
    rising = sum(after >= before for before, after in itertools.pairwise(times))
    return rising >= MOSTLY * (len(times) - 1) > 0 and len(set(times)) > 1


def _row_reason(name: str, numbers: Sequence[float | None]) -> tuple[str, bool]:
    """Describe numbers that only identify rows; True if they increase from row to row."""
    values = [number for number in numbers if number is not None]
    if len(values) < _LEAST_ROWS or len(values) < MOSTLY * len(numbers):
        return "", False
    steps = [after - before for before, after in itertools.pairwise(values)]
    rising = all(step > 0 for step in steps)
    whole = all(value == int(value) for value in values if abs(value) < 2**53)
    climbing = all(step >= 0 for step in steps) and values[0] < values[-1]
    named = dates.is_clock_name(name)
    if dates.are_epochs(values) and whole and (named or climbing):
        return "times since 1970", True
    if rising and whole and set(steps) == {1.0}:
        return "numbers of the rows, in their order", False
    if rising and named:
        return "a clock: its numbers rise from row to row", True
    if whole and _ID_NAME.fullmatch(name) and len(set(values)) == len(values):
        return "identifiers: all numbers differ", False
    return "", rising


def _category(
    cells: Cells, counts: Mapping[str, int], *, keep: bool, notes: tuple[str, ...]
) -> TypedColumn:
    """Create a category, or leave out texts that only identify rows.

    Raises:
        DataError: too many different texts for a category.
    """
    name = cells.name
    kept = values_spelled_as_gaps(counts)
    made = CategoryColumn(
        name, (), tuple(sorted({unicodedata.normalize("NFC", text) for text in kept}))
    )
    values = {made.spelling(text) for text in counts} - {None}
    if cells.total == len(cells.counts) >= _LEAST_TEXTS and not keep:
        reason = f"identifiers or free texts: {len(values)} different texts"
        return TypedColumn(name, None, reason, notes=notes)
    if len(values) > MOST_VALUES:
        raise DataError(
            f"{cells.where}: column {name!r}: {len(values)} different texts are too many for a "
            f"category (at most {MOST_VALUES}); leave the column out: --drop {name}. Where it says "
            f"which rows belong together: --group-column {name}"
        )
    gaps = [text for text in counts if text and is_gap(text) and text not in kept]
    return TypedColumn(name, made, notes=(*notes, *_gap_notes(name, cells, counts, gaps)))


def typed_rows(
    where: str,
    rows: Sequence[Mapping[str, str]],
    lines: Sequence[int] | None = None,
    *,
    keep: Sequence[str] = (),
    likely_comma: bool | None = None,
) -> list[TypedColumn]:
    """Infer the types of all columns of a file's rows.

    Args:
        likely_comma: True if decimal commas are likely and no column decides it: in files separated
            by semicolons.

    Raises:
        DataError: as `typed`.
    """
    lines = lines or range(1, len(rows) + 1)
    cells = {name: [_text(row[name]) for row in rows] for name in rows[0]}
    evidence = _decimal_comma(cells)
    comma = likely_comma if evidence is None else evidence
    types = [
        typed(where, name, column, lines, keep=name in keep, comma=comma)
        for name, column in cells.items()
    ]
    if any(one.column is not None for one in types):
        return types
    return [one if one.spare is None else _needed(one) for one in types]


def _needed(one: TypedColumn) -> TypedColumn:
    """Keep a column that would be left out if there were another one."""
    note = f"column {one.name!r} is used only because there is no other: {one.reason}"
    return replace(one, column=one.spare, reason="", notes=(*one.notes, note))


def number_of_cells(texts: Sequence[str]) -> list[str] | None:
    """Convert cells of a column of numbers to plain digits; None if it is not certainly one.

    Gaps are unchanged.
    """
    stripped = [text.strip() for text in texts]
    counts = Counter(text for text in stripped if not is_gap(text))
    lines = dict.fromkeys(counts, 0)
    try:
        found, _ = number_format(Cells("", "", counts, lines)) if counts else (None, "")
    except DataError:
        return None
    if found is None:
        return None
    numbers = [None if is_gap(text) else found.number(text) for text in stripped]
    return [
        text if number is None else repr(number)
        for text, number in zip(texts, numbers, strict=True)
    ]


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)


def _decimal_comma(cells: Mapping[str, Sequence[str]]) -> bool | None:
    """Test for a column that certainly has decimal commas, or points; None if none is certain."""
    point, comma = NumberFormat(), NumberFormat(",")
    for column in cells.values():
        texts = {text.strip() for text in column[:1000] if not is_gap(text)}
        decimals = [text for text in texts if re.fullmatch(r"[+-]?\d+[.,](?:\d{1,2}|\d{4,})", text)]
        if len(decimals) >= MOSTLY * len(texts) * 0.5 and decimals:
            if all(comma.number(text) is not None for text in texts):
                return True
            if all(point.number(text) is not None for text in texts):
                return False
    return None
