"""Rules of 0.1.0 for rows of tables: bundles and runs of that version must not change.

In a column of numbers any other text is a gap; a category that is not in the training data has no
value set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..format.limits import LIMITS
from .cells import Column
from .fields import Fields, described

_LARGEST = 1e30


class FirstRules:
    """Columns without types: columns with values are categories, the others numbers.

    Attributes:
        decimal_commas: rows of files separated by semicolons have decimal points instead of commas.
    """

    decimal_commas = True
    contract: Mapping[str, Any] | None = None
    types: tuple[Column, ...] | None = None

    def __init__(self, columns: Sequence[Mapping[str, Any]]):
        for column in columns:
            _refuse_odd(column)
        self.columns = [dict(column) for column in columns]
        self.names = [column["name"] for column in columns]
        self._numbers = [column["name"] for column in columns if "values" not in column]
        self._categories = {
            column["name"]: {value: place for place, value in enumerate(column["values"])}
            for column in columns
            if "values" in column
        }
        self.sizes = [len(places) for places in self._categories.values()]

    @property
    def fields(self) -> Fields:
        return {one["name"]: (str if "values" in one else np.float64, ()) for one in self.columns}

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return described(self.fields)

    def numbers(self, row: Mapping[str, Any], warnings: list[str] | None) -> list[float | None]:
        return [_number(row[name]) for name in self._numbers]

    def places(self, row: Mapping[str, Any], warnings: list[str] | None) -> list[int | None]:
        return [places.get(str(row[name]).strip()) for name, places in self._categories.items()]


def _refuse_odd(column: Any) -> None:
    """Raise ValueError unless it is a column of 0.1.0."""
    if not isinstance(column, dict) or not is_name(column.get("name")):
        raise ValueError("a column must be an object with a name")
    refuse_odd_values(column.get("values", []))


def refuse_odd_values(values: Any) -> None:
    """Raise ValueError unless they are different texts, not too many."""
    if not isinstance(values, list) or len(values) > LIMITS.column_values:
        raise ValueError(f"values must be a list of at most {LIMITS.column_values}")
    if not all(map(is_name, values)) or len(set(values)) != len(values):
        raise ValueError("values must be different texts")


def is_name(value: Any) -> bool:
    """Test for a text that can be a column's name, or a category's value."""
    return isinstance(value, str) and len(value) <= LIMITS.value_characters


def _number(cell: Any) -> float | None:
    """Parse the number in a cell; None for a gap or any other text."""
    text = str(cell).strip()
    if not text or cell is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) <= _LARGEST and not math.isnan(number) else None
