"""Rows of a table: numbers standardized, categories one-hot, gaps filled with the mean."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import DataError, UsageError
from ..format.limits import LIMITS
from . import packing
from .fields import Fields, described

_MOST_VALUES = 100  # of a category; a column of more is an identifier rather than a category
_LARGEST = 1e30  # beyond it squares overflow; no measurement is as large
_FARTHEST = 1e6  # deviations from the mean; much more overflows in a network's float32


class TableFeatures:
    """A row, a mapping of column names to values, to `x`, (1, width) float32.

    A gap (an empty cell, or what is no number, or infinite, in a column of numbers) counts as the
    mean; a category that training never saw is none of those it did. A column of gaps only, or of
    one number only, is 0 throughout training.

    Args:
        columns: for each its "name" and, if it is a category, its "values".
        mean, deviation: of the columns of numbers, in their order.
    """

    kind = "table"

    def __init__(
        self, columns: Sequence[Mapping[str, Any]], mean: np.ndarray, deviation: np.ndarray
    ):
        self._columns = [dict(column) for column in columns]
        self._numbers = [column["name"] for column in columns if "values" not in column]
        self._categories = {
            column["name"]: {value: place for place, value in enumerate(column["values"])}
            for column in columns
            if "values" in column
        }
        if not (len(self._numbers),) == mean.shape == deviation.shape:
            raise ValueError("mean and deviation must have one number for each column of numbers")
        if not np.isfinite(mean).all() or not (deviation > 0).all():
            raise ValueError("mean must be finite, and deviation above 0")
        # In float32 the seconds since 1970 have steps of two minutes.
        self._mean, self._deviation = mean.astype(np.float64), deviation.astype(np.float64)
        self._width = len(mean) + sum(map(len, self._categories.values()))
        self._known = {*self._numbers, *self._categories}

    @classmethod
    def fit(cls, rows: Sequence[Mapping[str, str]]) -> TableFeatures:
        """Learn from training rows which columns are numbers, their scale, and the categories.

        Raises:
            DataError: a column of text has too many different values to be a category.
        """
        columns: list[dict[str, Any]] = []
        scales: list[tuple[float, float]] = []
        for name in rows[0]:
            cells = [row[name] for row in rows]
            filled = [cell for cell in cells if str(cell).strip()]
            numbers = [_number(cell) for cell in filled]
            if any(number is None for number in numbers):
                values = sorted({str(cell).strip() for cell in filled})
                if len(values) > _MOST_VALUES:
                    raise DataError(
                        f"column {name!r}: {len(values)} different texts are too many for a "
                        f"category (at most {_MOST_VALUES}); leave the column out"
                    )
                columns.append({"name": name, "values": values})
            else:
                finite = [n for n in numbers if n is not None and math.isfinite(n)] or [0.0]
                # The deviation of a constant is not always 0: it is that of rounding.
                spread = float(np.std(finite)) if min(finite) < max(finite) else 1.0
                scales.append((float(np.mean(finite)), spread or 1.0))
                columns.append({"name": name})
        scale = np.array(scales).reshape(-1, 2)
        return cls(columns, scale[:, 0], scale[:, 1])

    @classmethod
    def unscaled(cls, rows: Sequence[Mapping[str, str]]) -> TableFeatures:
        """Numbers as they are, for networks that were trained so; a gap is then 0.

        Raises:
            DataError: as `fit`.
        """
        fitted = cls.fit(rows)
        return cls(fitted._columns, np.zeros(len(fitted._mean)), np.ones(len(fitted._mean)))

    @classmethod
    def restore(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> TableFeatures:
        columns = settings["columns"]
        if not isinstance(columns, list) or not 0 < len(columns) <= LIMITS.columns:
            raise ValueError(f"columns must be a list of 1 to {LIMITS.columns}")
        for column in columns:
            _refuse_odd(column)
        if len({column["name"] for column in columns}) != len(columns):
            raise ValueError("columns must have different names")
        return cls(columns, arrays["mean"], arrays["deviation"])

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], type[np.number]]]:
        return {"x": ((1, self._width), np.float32)}

    @property
    def settings(self) -> dict[str, Any]:
        return {"columns": self._columns}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return {"mean": self._mean, "deviation": self._deviation}

    def pack(self, examples: Iterable[Mapping[str, Any]]) -> np.ndarray:
        return packing.packed([dict(example) for example in examples])

    def unpack(self, packed: np.ndarray) -> list[dict[str, Any]]:
        return packing.unpacked(packed)

    def parse(self, line: str) -> Any:
        """A line is an object, columns to values, in JSON."""
        try:
            return json.loads(line)
        except ValueError as error:
            raise UsageError(f"not JSON: {line[:40]!r}: {error}") from None

    @property
    def fields(self) -> Fields:
        """A text for each category, a number for each other column."""
        return {one["name"]: (str if "values" in one else np.float64, ()) for one in self._columns}

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return described(self.fields)

    def put_together(self, parts: Mapping[str, Any]) -> Mapping[str, Any]:
        return parts

    def take_apart(self, example: Mapping[str, Any]) -> Mapping[str, Any]:
        return example

    def encode(
        self, example: Mapping[str, Any], warnings: list[str] | None = None
    ) -> dict[str, np.ndarray]:
        """The row as numbers.

        Raises:
            UsageError: it is not a row of these columns.
        """
        if not isinstance(example, Mapping):
            raise UsageError(
                f"an example must map columns to values, got {type(example).__name__}; "
                f"the columns are {', '.join(sorted(self._known))}"
            )
        missing = self._known - set(example)
        if missing:
            raise UsageError(f"the row has no column {', '.join(sorted(missing))}")
        numbers = [_number(example[name]) for name in self._numbers]
        x = np.zeros((1, self._width), np.float32)
        given = np.array([np.nan if number is None else number for number in numbers], np.float64)
        standard = ((given - self._mean) / self._deviation).clip(-_FARTHEST, _FARTHEST)
        x[0, : len(numbers)] = np.where(np.isnan(standard), 0, standard)
        start = len(numbers)
        for name, places in self._categories.items():
            place = places.get(str(example[name]).strip())
            if place is not None:
                x[0, start + place] = 1
            start += len(places)
        return {"x": x}


def _refuse_odd(column: Any) -> None:
    """Raises ValueError unless it is a column as `fit` makes them."""
    if not isinstance(column, dict) or not _is_name(column.get("name")):
        raise ValueError("a column must be an object with a name")
    values = column.get("values", [])
    if not isinstance(values, list) or len(values) > LIMITS.column_values:
        raise ValueError(f"values must be a list of at most {LIMITS.column_values}")
    if not all(map(_is_name, values)) or len(set(values)) != len(values):
        raise ValueError("values must be different texts")


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LIMITS.value_characters


def _number(cell: Any) -> float | None:
    """The number in a cell; NaN where it is a gap, None where it holds something else."""
    text = str(cell).strip()
    if not text or cell is None:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) <= _LARGEST else math.nan
