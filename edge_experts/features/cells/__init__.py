"""Cells of tables: numbers, booleans, dates, categories and gaps, as people write them."""

from __future__ import annotations

from .inference import MOST_VALUES, TypedColumn, number_of_cells, typed, typed_rows
from .kinds import BooleanColumn, CategoryColumn, Column, NumberColumn, column, scalar

__all__ = [
    "MOST_VALUES",
    "BooleanColumn",
    "CategoryColumn",
    "Column",
    "NumberColumn",
    "TypedColumn",
    "column",
    "number_of_cells",
    "scalar",
    "typed",
    "typed_rows",
]
