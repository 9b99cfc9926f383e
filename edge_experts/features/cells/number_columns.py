"""Detection of columns of numbers, their format, and their exceptions.

A column is one of numbers if at least nine tenths of its cells are numbers; a cell that is neither
a number nor a gap is then an error of the file. If few values recur (grades 1, 2, 3+) it is a
category. If at least half of the cells are numbers and no few values recur, the column is refused
as ambiguous.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...errors import DataError
from .numerals import (
    FORMATS,
    NumberFormat,
    Numeral,
    is_ambiguous,
    is_of_programs,
    normalized,
    parts,
)

MOSTLY = 0.9
_HALF = 0.5
_FEW, _MANY = 20, 100  # limit of a category's different values: beside numbers, and in general
_RECURRING = 5  # cells for each value, on average
_NAMED = 3  # cells in a message
_COMMON = 0.05  # share of the cells from which an unlisted unit is accepted
# Units in which no code ends; a single letter may be a code: 1A.
_UNITS = frozenset(
    unit
    for units in (
        "% \u2030 \u00b0",
        "\u00b0C \u00b0F mm cm dm km in ft yd mi nm \u00b5m um mg kg lb lbs oz ml cl ms min",
        "kW MW Wh kWh mV kV mA Hz kHz MHz GHz Pa hPa kPa bar mbar psi kJ kcal m/s km/h mph rpm dB",
        "ppm ppb KB MB GB TB kB $ \u20ac \u00a3 \u00a5 USD EUR GBP CHF JPY m2 m\u00b2 m3 m\u00b3",
    )
    for unit in units.split()
)


@dataclass(frozen=True)
class Cells:
    """Filled cells of one column.

    Attributes:
        counts: number of cells with each text, stripped, without gaps.
        where: file and column, for messages.
        lines: line of the first cell with each text.
    """

    where: str
    name: str
    counts: Mapping[str, int]
    lines: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def count(self, texts: Sequence[str]) -> int:
        return sum(self.counts[text] for text in texts)

    def are_few(self, most: int) -> bool:
        """Test for few values that recur, as in a category."""
        return len(self.counts) <= most and self.total >= _RECURRING * len(self.counts)

    def listed(self, texts: Sequence[str]) -> str:
        """List the first few cells with their lines, and the number of all."""
        first = sorted(texts, key=self.lines.__getitem__)[:_NAMED]
        listed = ", ".join(f"line {self.lines[text]} {text!r:.40}" for text in first)
        count = self.count(texts)
        return listed if len(texts) <= _NAMED else f"{listed} ... ({count} cells in all)"

    def error(self, problem: str) -> DataError:
        return DataError(
            f"{self.where}: column {self.name!r}: {problem}, or leave the column out: "
            f"--drop {self.name}"
        )


def number_format(cells: Cells, *, comma: bool | None = None) -> tuple[NumberFormat | None, str]:
    """Find the format of a column of numbers and a note for the user; None for other columns.

    Args:
        comma: True if the rest of the file has decimal commas, False if it has decimal points;
            None if unknown. Decides the meaning of 1,234.

    Raises:
        DataError: most cells are numbers and some are not, or the numbers are ambiguous.
    """
    numerals = _numerals(cells)
    looking = cells.count(list(numerals))
    if looking < _HALF * cells.total:
        _refuse_programs(cells)
        return None, ""
    units = _units(cells, numerals)
    unit = units.most_common(1)[0][0]
    of_unit = {text: one for text, one in numerals.items() if one.unit == unit}
    taken, found = _best(cells, of_unit)
    is_taken = set(taken)
    odd = [text for text in cells.counts if text not in is_taken]
    share = cells.count(taken) / cells.total
    if odd and _is_category(cells, numerals, odd, share, unit):
        return None, f"a category, because of {cells.listed(odd)}" if share >= _HALF else ""
    if share < MOSTLY:
        raise _unsure(cells, numerals, odd, units, looking)
    if odd:
        wanted = found.example() if unit else f"numbers like {found.example()}"
        raise cells.error(
            f"{cells.total - cells.count(odd)} of {cells.total} cells are {wanted}, but not "
            f"{cells.listed(odd)}; correct these, empty them for gaps"
        )
    return _sure(cells, [of_unit[text].body for text in taken], replace(found, unit=unit), comma)


def _refuse_programs(cells: Cells) -> None:
    texts = [text for text in cells.counts if is_of_programs(text)]
    if cells.count(texts) >= _HALF * cells.total:
        raise cells.error(
            f"numbers in a form that is not read: {cells.listed(texts)}; write them like -1234.5"
        )


def _numerals(cells: Cells) -> dict[str, Numeral]:
    """Parse each cell that looks like a number, including infinite ones.

    Text after a number is a unit if many cells have it, or if it is in a list of units.
    """
    made: dict[str, Numeral] = {}
    for text in cells.counts:
        numeral = parts(normalized(text))
        if numeral is None and math.isinf(NumberFormat().number(text) or 0):
            numeral = Numeral(negative=False, body="0", exponent="", unit="")
        if numeral is not None and _is_written(numeral.body):
            made[text] = numeral
    units = _units(cells, made)
    common = {
        unit
        for unit, count in units.items()
        if not unit or unit in _UNITS or count >= _COMMON * cells.total
    }
    return {text: numeral for text, numeral in made.items() if numeral.unit in common}


def _units(cells: Cells, numerals: Mapping[str, Numeral]) -> Counter[str]:
    """Count the cells with each unit."""
    units = Counter[str]()
    for text, numeral in numerals.items():
        units[numeral.unit] += cells.counts[text]
    return units


def _is_written(body: str) -> bool:
    return any(one.takes(body) for one in FORMATS)


def _best(cells: Cells, numerals: Mapping[str, Numeral]) -> tuple[list[str], NumberFormat]:
    """Find the format that fits the most cells, the first of ties, and return these cells."""
    best: tuple[list[str], NumberFormat] = ([], FORMATS[0])
    most = 0
    for one in FORMATS:
        taken = [text for text, numeral in numerals.items() if one.takes(numeral.body)]
        if (count := cells.count(taken)) > most:
            best, most = (taken, one), count
        if len(taken) == len(numerals):
            break
    return best


def _is_category(
    cells: Cells, numerals: Mapping[str, Numeral], odd: Sequence[str], share: float, unit: str
) -> bool:
    """Test for exceptions that recur like values of a category and are not measurements."""
    measured = {unit, *_UNITS, *([""] if unit in _UNITS else [])}
    if any(text in numerals and numerals[text].unit in measured for text in odd):
        return False
    if share >= MOSTLY:
        return cells.are_few(_FEW) and cells.count(odd) >= _RECURRING * len(odd)
    return cells.are_few(_MANY)


def _unsure(
    cells: Cells,
    numerals: Mapping[str, Numeral],
    odd: Sequence[str],
    units: Mapping[str, int],
    looking: int,
) -> DataError:
    """Create the error for too many numbers for a category, and too few for a number column."""
    if looking >= MOSTLY * cells.total and len(units) > 1:
        shown = ", ".join(repr(unit) if unit else "none" for unit in list(units)[:4])
        return cells.error(
            f"its numbers have different units ({shown}): {cells.listed(odd)}; write all in one"
        )
    if all(text in numerals for text in odd):
        return cells.error(f"numbers in different formats: {cells.listed(odd)}; write all alike")
    return cells.error(
        f"{cells.total - cells.count(odd)} of {cells.total} cells are numbers, the others not: "
        f"{cells.listed(odd)}; correct these, empty them for gaps"
    )


def _sure(
    cells: Cells, bodies: Sequence[str], found: NumberFormat, comma: bool | None
) -> tuple[NumberFormat, str]:
    """Return the format if no other format reads the same cells as other numbers.

    Raises:
        DataError: 1,234 can be above a thousand or below two, and no other cell decides it.
    """
    separated = [body for body in bodies if not body.isdecimal()]
    if not separated or not all(map(is_ambiguous, separated)):
        return found, ""
    mark = next(one for one in separated[0] if not one.isdecimal())
    if mark == "." and not comma:
        return found, ""
    if mark == "," and comma is not None:
        return replace(found, decimal=",", thousands="") if comma else found, ""
    sample = next(text for text in cells.counts if mark in text)
    raise cells.error(
        f"{sample!r:.40} in line {cells.lines[sample]} may be a thousand times as large: {mark!r} "
        f"can separate thousands or decimals; write {separated[0].replace(mark, '')} or "
        f"{separated[0].replace(mark, '.')}0"
    )
