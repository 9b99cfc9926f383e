"""Comparison of sparse experts with baselines at equal budgets, over several seeds, as deployed."""

from .comparison import MAX_SEEDS, compare
from .contenders import CONTENDERS, DENSE_ACTIVE, DENSE_ALL, NAMES, SPARSE
from .presentation import as_json, as_text, write
from .results import Comparison, ComparisonRow, SeedResult

__all__ = [
    "CONTENDERS",
    "DENSE_ACTIVE",
    "DENSE_ALL",
    "MAX_SEEDS",
    "NAMES",
    "SPARSE",
    "Comparison",
    "ComparisonRow",
    "SeedResult",
    "as_json",
    "as_text",
    "compare",
    "write",
]
