"""Tables of figures as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_GAP = "  "


def terminal_columns() -> int | None:
    """Return the width of the terminal that stdout is; None if it is a file or a pipe."""
    import shutil
    import sys

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def aligned(rows: Sequence[Sequence[str]], columns: int | None = None) -> list[str]:
    """Format rows as lines, the first column left-aligned and the others right-aligned.

    Args:
        columns: width of a terminal. A wider table is divided into several ones, one below the
            other, each with the first column.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines: list[str] = []
    for part in _parts(widths, columns):
        lines += [""] if lines else []
        chosen = [[row[place] for place in part] for row in rows]
        lines += _lines(chosen, [widths[place] for place in part])
    return lines


def _parts(widths: Sequence[int], columns: int | None) -> Iterator[list[int]]:
    """Yield the columns of each table, as many as there is space for."""
    part = [0]
    for place in range(1, len(widths)):
        needed = sum(widths[one] + len(_GAP) for one in part) + widths[place]
        if columns is not None and needed > columns and len(part) > 1:
            yield part
            part = [0]
        part.append(place)
    yield part


def _lines(rows: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    return [
        _GAP.join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def number(value: float) -> str:
    """Format a number with three digits or more, whatever its size."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
