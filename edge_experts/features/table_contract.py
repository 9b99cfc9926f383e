"""Contract of a table's inputs: typed columns with their values, errors and warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .cells import BooleanColumn, Column, column, scalar
from .cells.gaps import SPELLINGS
from .fields import Fields, described
from .first_table_rules import is_name, refuse_odd_values

RULES = 1  # a version that reads cells differently must keep these rules for existing bundles


class TableContract:
    """Typed columns, which read cells of files and values of JSON alike.

    Attributes:
        decimal_commas: see `FirstRules`; here the columns' formats define it.
        columns: their settings.
        sizes: number of values of each category.
    """

    decimal_commas = False

    def __init__(self, columns: Sequence[Column]):
        self.columns = [one.to_json() for one in columns]
        self.names = [one.name for one in columns]
        self._typed = list(columns)
        self._numbers = [one for one in columns if one.values is None]
        self._categories = [one for one in columns if one.values is not None]
        self.sizes = [len(one.values or ()) for one in self._categories]

    @classmethod
    def restore(cls, contract: Mapping[str, Any], columns: Sequence[Any]) -> TableContract:
        """Restore the contract that settings describe.

        Raises:
            KeyError, TypeError, ValueError: it is not a contract, or is one of a later version.
        """
        if contract["rules"] != RULES:
            raise ValueError(f"rules must be {RULES}, got {contract['rules']!r:.40}; upgrade")
        for one in columns:
            if not isinstance(one, dict) or not is_name(one.get("name")):
                raise ValueError("a column must be an object with a name")
            refuse_odd_values(one.get("values", []))
        return cls([column(one) for one in columns])

    @property
    def contract(self) -> Mapping[str, Any] | None:
        return {"rules": RULES, "missing": sorted(SPELLINGS)}

    @property
    def types(self) -> tuple[Column, ...] | None:
        return tuple(self._typed)

    @property
    def fields(self) -> Fields:
        return {
            one.name: (
                np.float64
                if one.values is None
                else np.bool_
                if isinstance(one, BooleanColumn)
                else str,
                (),
            )
            for one in self._typed
        }

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return [
            {**begun, **one.described()}
            for begun, one in zip(described(self.fields), self._typed, strict=True)
        ]

    def numbers(self, row: Mapping[str, Any], warnings: list[str] | None) -> list[float | None]:
        """Read the numbers of a row; None for gaps.

        Raises:
            UsageError: a value does not fit its column.
        """
        return [one.read(scalar(one.name, row[one.name]), warnings) for one in self._numbers]

    def places(self, row: Mapping[str, Any], warnings: list[str] | None) -> list[int | None]:
        """Read the index of the row's value in each category; None for gaps and unknown values.

        Raises:
            UsageError: as `numbers`.
        """
        read = (one.read(scalar(one.name, row[one.name]), warnings) for one in self._categories)
        return [None if place is None else int(place) for place in read]
