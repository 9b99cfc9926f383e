"""Checks that reject a whole file of rows: too large, two kinds of targets, a row of totals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..errors import DataError
from .columns import Columns
from .rows import TARGET

_LARGEST = 2**27  # bytes of text; a table takes about 25 times as much memory
_TOTALS = frozenset(
    {
        *(
            "total",
            "totals",
            "grand total",
            "subtotal",
            "sum",
            "average",
            "mean",
            "summe",
            "gesamt",
        ),
        *("gesamtsumme", "mittelwert", "durchschnitt", "insgesamt", "somme", "moyenne", "totale"),
    }
)


_SAMPLE = "Train on a sample: (head -n 1 FILE; tail -n +2 FILE | shuf -n 100000) > sample.csv"
_FIRST_ROWS = "Train on fewer recordings, or on the first rows: head -n 500000 FILE > first.csv"


def refuse_large(path: Path) -> None:
    """Reject a file whose rows would not fit in memory."""
    _refuse_large(path, path.stat().st_size, _SAMPLE)


def refuse_large_recordings(source: Path, files: Sequence[Path]) -> None:
    """Reject files whose rows, together and in their order, would not fit in memory."""
    _refuse_large(source, sum(path.stat().st_size for path in files), _FIRST_ROWS)


def _refuse_large(source: Path, size: int, remedy: str) -> None:
    if size > _LARGEST:
        raise DataError(
            f"{source}: {size / 1e6:,.0f} MB; at most {_LARGEST / 1e6:.0f} MB are read, because "
            f"all rows are held in memory. {remedy}"
        )


def refuse_both(path: Path, header: Iterable[str], columns: Columns) -> None:
    """Reject a table that several tasks claim, none of which is a special form of another."""
    names = [name for name in header if name not in columns.not_inputs]
    target = next((name for name in names if TARGET.fullmatch(name)), None)
    if columns.label is None and "label" in names and target is not None:
        raise DataError(
            f"{path}: has a column 'label' and a column {target!r}; say which one is wanted: "
            "--task classification or --task regression (the other one is then an input), or leave "
            "one out"
        )


def refuse_total(path: Path, table: Sequence[tuple[int, Mapping[str, str]]]) -> None:
    """Reject a last row that is the sum of the others."""
    line, last = table[-1]
    for name, cell in last.items():
        word = cell.strip().rstrip(":").casefold()
        if word in _TOTALS and name != "text":
            if any(row[name].strip().rstrip(":").casefold() == word for _, row in table[:-1]):
                continue
            raise DataError(
                f"{path}: line {line}: column {name!r} is {cell.strip()!r}: the last row seems to "
                "sum up the others; delete it"
            )
