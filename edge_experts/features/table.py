"""Rows of a table: numbers standardized, categories one-hot, gaps replaced by the mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol
from unicodedata import normalize

import numpy as np

from ..errors import DataError, UsageError
from ..format.limits import LIMITS
from ..format.manifest import CONTRACT
from ..format.strict_json import example_json
from . import packing
from .cells import CategoryColumn, Column, DateColumn, NumberColumn, typed_rows
from .fields import Fields
from .first_table_rules import FirstRules
from .table_contract import TableContract

_FARTHEST = 1e6  # deviations from the mean; larger values overflow in a network's float32
# Deviation of a constant column: later changes must not affect a network that never saw them.
_CONSTANT = 1e30
_TARGETS = ("label", "split", "target")  # columns of files that are not inputs


class TableRules(Protocol):
    """Rules for reading the cells of a row.

    Attributes:
        columns: their settings.
        names: of the columns.
        sizes: number of values of each category.
        contract: the contract in the settings; None for rules of 0.1.0.
        decimal_commas: rows of files separated by semicolons must have decimal points.
    """

    columns: list[dict[str, Any]]
    names: list[str]
    sizes: list[int]
    decimal_commas: bool

    @property
    def contract(self) -> Mapping[str, Any] | None: ...

    @property
    def types(self) -> tuple[Column, ...] | None: ...

    @property
    def fields(self) -> Fields: ...

    @property
    def inputs(self) -> list[dict[str, Any]]: ...

    def numbers(self, row: Mapping[str, Any], warnings: list[str] | None) -> list[float | None]: ...

    def places(self, row: Mapping[str, Any], warnings: list[str] | None) -> list[int | None]: ...


class TableFeatures:
    """Conversion of a row, a mapping of column names to values, to `x`, (1, width) float32.

    A gap is the mean in a column of numbers, and no value in a category. A column's type defines
    the values that it accepts: `cells/column_kinds.py`. A constant column is 0, for any later
    value.

    Args:
        columns: for each its "name" and, if it is a category, its "values".
        mean, deviation: of the columns of numbers, in their order.
        rules: how cells are read; None: the rules of version 0.1.0.
    """

    kind = "table"

    def __init__(
        self,
        columns: Sequence[Mapping[str, Any]],
        mean: np.ndarray,
        deviation: np.ndarray,
        rules: TableRules | None = None,
    ):
        rules = self._rules = rules or FirstRules(columns)
        if not (len(rules.columns) - len(rules.sizes),) == mean.shape == deviation.shape:
            raise ValueError("mean and deviation must have one number for each column of numbers")
        if not np.isfinite(mean).all() or not (deviation > 0).all():
            raise ValueError("mean must be finite, and deviation above 0")
        # In float32 the seconds since 1970 have steps of two minutes.
        self._mean, self._deviation = mean.astype(np.float64), deviation.astype(np.float64)
        self._width = len(mean) + sum(rules.sizes)
        self._known = set(rules.names)

    @classmethod
    def fit(
        cls, rows: Sequence[Mapping[str, Any]], columns: Sequence[Column] | None = None
    ) -> TableFeatures:
        """Learn the scale of numbers and the values of categories from training rows.

        Args:
            columns: their types; None: inferred from the rows, without columns that only identify
                rows.

        Raises:
            DataError: the type of a column is ambiguous, or no column is left.
        """
        if columns is None:
            columns = [one.column for one in typed_rows("rows", rows) if one.column is not None]
        if not columns:
            raise DataError("rows: no column to learn from")
        fitted: list[Column] = []
        scales: list[tuple[float, float]] = []
        for column in columns:
            cells = [row[column.name] for row in rows]
            if isinstance(column, NumberColumn | DateColumn):
                found = [column.read(cell, None) for cell in cells]
                finite = [number for number in found if number is not None] or [0.0]
                low, high = min(finite), max(finite)
                spread = float(np.std(finite)) if low < high else _CONSTANT
                scales.append((float(np.mean(finite)), spread or _CONSTANT))
                fitted.append(replace(column, range=(low, high)))
            elif isinstance(column, CategoryColumn):
                values = {column.spelling(cell) for cell in cells} - {None}
                fitted.append(replace(column, values=tuple(sorted(filter(None, values)))))
            else:
                fitted.append(column)
        scale = np.array(scales).reshape(-1, 2)
        rules = TableContract(fitted)
        return cls(rules.columns, scale[:, 0], scale[:, 1], rules)

    @classmethod
    def unscaled(
        cls, rows: Sequence[Mapping[str, Any]], columns: Sequence[Column] | None = None
    ) -> TableFeatures:
        """Keep numbers unscaled, for networks trained on such numbers; a gap is then 0.

        Raises:
            DataError: as `fit`.
        """
        fitted = cls.fit(rows, columns)
        rules, size = fitted._rules, len(fitted._mean)
        return cls(rules.columns, np.zeros(size), np.ones(size), rules)

    @classmethod
    def restore(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> TableFeatures:
        columns = settings["columns"]
        if not isinstance(columns, list) or not 0 < len(columns) <= LIMITS.columns:
            raise ValueError(f"columns must be a list of 1 to {LIMITS.columns}")
        rules: TableRules = (
            TableContract.restore(settings[CONTRACT], columns)
            if CONTRACT in settings
            else FirstRules(columns)
        )
        if len(set(rules.names)) != len(columns):
            raise ValueError("columns must have different names")
        return cls(columns, arrays["mean"], arrays["deviation"], rules)

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], type[np.number]]]:
        return {"x": ((1, self._width), np.float32)}

    @property
    def settings(self) -> dict[str, Any]:
        contract = self._rules.contract
        return {
            **({} if contract is None else {CONTRACT: dict(contract)}),
            "columns": self._rules.columns,
        }

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return {"mean": self._mean, "deviation": self._deviation}

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in the order of training."""
        return list(self._rules.names)

    @property
    def types(self) -> tuple[Column, ...] | None:
        """Types of the columns, in their order; None by the rules of 0.1.0."""
        return self._rules.types

    @property
    def decimal_commas(self) -> bool:
        """True if rows of semicolon-separated files must have decimal points (0.1.0)."""
        return self._rules.decimal_commas

    def pack(self, examples: Iterable[Mapping[str, Any]]) -> np.ndarray:
        return packing.packed([dict(example) for example in examples])

    def unpack(self, packed: np.ndarray) -> list[dict[str, Any]]:
        return packing.unpacked(packed)

    def parse(self, line: str) -> Any:
        """Parse a line that contains an object in JSON, column names to values."""
        try:
            return example_json(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"not JSON: {line[:40]!r}: {error}") from None

    @property
    def fields(self) -> Fields:
        """Fields: a text for each category, a boolean for true and false, a number for others."""
        return self._rules.fields

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return self._rules.inputs

    def put_together(self, parts: Mapping[str, Any]) -> Mapping[str, Any]:
        return parts

    def take_apart(self, example: Mapping[str, Any]) -> Mapping[str, Any]:
        return example

    def encode(
        self, example: Mapping[str, Any], warnings: list[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Encode the row as numbers.

        Raises:
            UsageError: it is not a row of these columns.
        """
        if not isinstance(example, Mapping):
            raise UsageError(
                f"an example must map columns to values, got {type(example).__name__}; "
                f"the columns are {', '.join(sorted(self._known))}"
            )
        missing = self._known - set(example)
        if missing and self._rules.contract is not None:
            example = self._composed(example)
            missing = self._known - set(example)
        if missing:
            raise UsageError(f"the row has no column {', '.join(sorted(missing))}")
        if warnings is not None and self._rules.contract is not None:
            self._warn_of_others(example, warnings)
        numbers = self._rules.numbers(example, warnings)
        x = np.zeros((1, self._width), np.float32)
        given = np.array([np.nan if number is None else number for number in numbers], np.float64)
        standard = ((given - self._mean) / self._deviation).clip(-_FARTHEST, _FARTHEST)
        x[0, : len(numbers)] = np.where(np.isnan(standard), 0, standard)
        start = len(numbers)
        places = self._rules.places(example, warnings)
        for place, size in zip(places, self._rules.sizes, strict=True):
            if place is not None:
                x[0, start + place] = 1
            start += size
        if warnings is not None and self._rules.contract is not None and not x.any():
            self._warn_of_gaps(example, numbers, warnings)
        return {"x": x}

    def _composed(self, example: Mapping[str, Any]) -> Mapping[str, Any]:
        """Name the row's columns as training did, where only their Unicode form differs."""
        known = {normalize("NFC", name): name for name in self._known}
        named = {known.get(normalize("NFC", str(name)), name): name for name in example}
        if len(named) < len(example):  # two of its names are the same
            return example
        return {column: example[name] for column, name in named.items()}

    def _warn_of_gaps(
        self, example: Mapping[str, Any], numbers: Sequence[float | None], warnings: list[str]
    ) -> None:
        categories = self._rules.places(example, None)
        if all(one is None for one in (*numbers, *categories)):
            warnings.append("no column has a value that training knows: the answer says nothing")

    def _warn_of_others(self, example: Mapping[str, Any], warnings: list[str]) -> None:
        others = sorted(
            str(name)
            for name in set(example) - self._known
            if str(name).partition(":")[0] not in _TARGETS
        )
        if others:
            warnings.append(f"columns that are not used: {', '.join(others):.200}")
