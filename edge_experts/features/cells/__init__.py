"""Cells of tables: numbers, booleans, dates, categories and gaps in common spellings."""

from __future__ import annotations

from .column_kinds import BooleanColumn, CategoryColumn, Column, DateColumn, NumberColumn, column
from .scalars import scalar
from .type_inference import EMPTY, MOST_VALUES, TypedColumn, number_of_cells, typed, typed_rows

__all__ = [
    "EMPTY",
    "MOST_VALUES",
    "BooleanColumn",
    "CategoryColumn",
    "Column",
    "DateColumn",
    "NumberColumn",
    "TypedColumn",
    "column",
    "number_of_cells",
    "scalar",
    "typed",
    "typed_rows",
]
