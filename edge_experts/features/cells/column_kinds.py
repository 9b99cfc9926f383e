"""Kinds of columns: each defines its values and gaps, and refuses everything else.

A kind reads cells of files and values from JSON, HTTP and Python alike: `read` returns the number
of a value, or the index of a category's value, and None for a gap; it raises UsageError for
anything else. Plain JSON values describe a kind; they are stored in the bundle.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...errors import UsageError
from ...format.limits import LIMITS
from .booleans import boolean
from .dates import moment
from .gaps import is_gap
from .numerals import LARGEST, NumberFormat
from .scalars import Scalar, as_float, shown, warn


@dataclass(frozen=True)
class NumberColumn:
    """Numbers, written in one format.

    Attributes:
        is_binary: True if every training value was 0 or 1; true and false are then accepted too.
        range: smallest and largest training value.
    """

    name: str
    format: NumberFormat = field(default_factory=NumberFormat)
    is_binary: bool = False
    range: tuple[float, float] = (-math.inf, math.inf)
    values: Sequence[str] | None = None

    def read(self, value: Scalar, warnings: list[str] | None) -> float | None:
        number = self.number(value)
        if number is None or math.isnan(number):
            return None
        if abs(number) > LARGEST:
            warn(warnings, f"column {self.name!r}: {shown(value)} is infinite: read as a gap")
            return None
        if not self._bounds[0] <= number <= self._bounds[1]:
            low, high = self.range
            warn(
                warnings,
                f"column {self.name!r}: {number:g} lies far outside {low:g} to {high:g}, the range "
                "of training",
            )
        elif self.format.unit == "%" and 0 < number <= 1 < self.range[0]:
            low, high = self.range
            warn(
                warnings,
                f"column {self.name!r}: {number:g} is {number:g} %, below {low:g} to {high:g}, the "
                f"range of training; write {100 * number:g} if it is a share of 1",
            )
        return number

    @cached_property
    def _bounds(self) -> tuple[float, float]:
        """Limits beyond which a number is far outside the range of training."""
        low, high = self.range
        return (low - (high - low), high + (high - low)) if math.isfinite(low) else self.range

    def number(self, value: Scalar) -> float | None:
        """Parse the number in a cell; None for a gap, and infinite beyond the range of float.

        Raises:
            UsageError: it contains anything else.
        """
        if isinstance(value, bool):
            if not self.is_binary:
                raise self._error(value)
            return float(value)
        if isinstance(value, int | float):
            return as_float(value)
        if value is None:
            return None
        number = self.format.number(value)
        if number is None and is_gap(value):
            return None
        if number is None and self.is_binary and (truth := boolean(value)) is not None:
            number = float(truth)
        if number is None:
            raise self._error(value)
        return None if math.isnan(number) else number

    def _error(self, value: Scalar) -> UsageError:
        example = self.format.example()
        return UsageError(
            f"column {self.name!r} must hold a number, got {shown(value)}; write it like {example}"
            ", or null or an empty cell for a gap"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": "number",
            "format": self.format.to_json(),
            "binary": self.is_binary,
            "range": list(self.range) if math.isfinite(self.range[0]) else None,
        }

    def described(self) -> dict[str, Any]:
        return {
            "type": "number",
            "range": list(self.range) if math.isfinite(self.range[0]) else None,
            "format": self.format.example(),
            **({"unit": self.format.unit} if self.format.unit else {}),
            "gap": "the mean of training",
        }


@dataclass(frozen=True)
class DateColumn:
    """Dates and times to be used as numbers: seconds since 1970, or since midnight.

    Attributes:
        month_first: True if 3/4/2024 is in March.
        range: earliest and latest training value.
    """

    name: str
    month_first: bool = False
    range: tuple[float, float] = (-math.inf, math.inf)
    values: Sequence[str] | None = None

    def read(self, value: Scalar, warnings: list[str] | None) -> float | None:
        if isinstance(value, float) and math.isnan(value):
            return None
        if value is None or (isinstance(value, str) and is_gap(value)):
            return None
        if isinstance(value, str):
            found = moment(value, month_first=self.month_first)
        else:
            found = None if isinstance(value, bool) else as_float(value)
        if found is None or abs(found) > LARGEST:
            raise UsageError(
                f"column {self.name!r} must hold a date or a time, got {shown(value)}; write it "
                "like 2024-01-31 or 2024-01-31T10:20:00, or null or an empty cell for a gap"
            )
        if not self.range[0] <= found <= self.range[1]:
            warn(warnings, f"column {self.name!r}: {shown(value)} is outside the training's times")
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": "date",
            "month_first": self.month_first,
            "range": list(self.range) if math.isfinite(self.range[0]) else None,
        }

    def described(self) -> dict[str, Any]:
        return {
            "type": "date",
            "format": "3/31/2024 or 2024-03-31" if self.month_first else "31.3.2024 or 2024-03-31",
            "unit": "seconds since 1970, or since midnight",
            "gap": "the mean of training",
        }


@dataclass(frozen=True)
class BooleanColumn:
    """Booleans, in any spelling."""

    name: str
    values: Sequence[str] | None = ("false", "true")

    def read(self, value: Scalar, warnings: list[str] | None) -> int | None:
        if isinstance(value, int | float) and math.isnan(value):
            return None
        if isinstance(value, int | float) and value in (0, 1):
            return int(value)
        if value is None or (isinstance(value, str) and is_gap(value)):
            return None
        truth = boolean(value) if isinstance(value, str) else None
        if truth is None:
            raise UsageError(
                f"column {self.name!r} must hold true or false, got {shown(value)}; write true, "
                "false, yes, no, 1 or 0, or null or an empty cell for a gap"
            )
        return int(truth)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "type": "boolean", "values": list(self.values or ())}

    def described(self) -> dict[str, Any]:
        return {"type": "boolean", "values": list(self.values or ()), "gap": "neither"}


@dataclass(frozen=True)
class CategoryColumn:
    """One of the texts in the training data, or an unknown one.

    Attributes:
        kept: values that are spelled as gaps.
    """

    name: str
    values: Sequence[str] | None = ()
    kept: Sequence[str] = ()

    def read(self, value: Scalar, warnings: list[str] | None) -> int | None:
        spelled = self.spelling(value)
        if spelled is None:
            return None
        if (place := self._places.get(spelled)) is not None:
            return place
        if isinstance(value, bool):
            words = [at for word, at in self._places.items() if word.casefold() == spelled]
            if len(words) == 1:
                return words[0]
        warn(
            warnings,
            f"column {self.name!r}: {shown(value)} is no value that training had: read as none of "
            f"its {len(self._places)} values",
        )
        return None

    @cached_property
    def _places(self) -> dict[str, int]:
        return {value: place for place, value in enumerate(self.values or ())}

    def spelling(self, value: Scalar) -> str | None:
        """Spell a value as the column does: 2 and 2.0 are "2", true is "true"; None for a gap."""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            number = as_float(value)
            if math.isnan(number):
                return None
            return str(int(number)) if number.is_integer() else repr(number)
        if value is None:
            return None
        text = unicodedata.normalize("NFC", value.strip())
        if is_gap(text) and text not in self.kept:
            return None
        whole = text.removesuffix(".0")
        return whole if whole.removeprefix("-").isdecimal() and len(whole) < 16 else text

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": "category",
            "values": list(self.values or ()),
            "kept": list(self.kept),
        }

    def described(self) -> dict[str, Any]:
        return {"type": "category", "values": list(self.values or ()), "gap": "none of the values"}


Column = NumberColumn | DateColumn | BooleanColumn | CategoryColumn  # `values` is None for numbers


def column(content: Mapping[str, Any]) -> Column:
    """Restore the column that `to_json` described.

    Raises:
        ValueError, KeyError, TypeError: it is not such a description.
    """
    kind, name = content["type"], content["name"]
    if kind == "number":
        low, high = content["range"] or (-math.inf, math.inf)
        made = NumberFormat.from_json(content["format"])
        return NumberColumn(name, made, bool(content["binary"]), (float(low), float(high)))
    if kind == "date":
        low, high = content["range"] or (-math.inf, math.inf)
        return DateColumn(name, bool(content["month_first"]), (float(low), float(high)))
    if kind == "boolean":
        return BooleanColumn(name)
    if kind != "category":
        raise ValueError(f"type must be number, date, boolean or category, got {kind!r:.40}")
    kept = content["kept"]
    if not isinstance(kept, list) or len(kept) > LIMITS.column_values:
        raise ValueError("kept must be a list of texts")
    return CategoryColumn(name, tuple(content["values"]), tuple(map(str, kept)))
