"""Contract for the Unicode of texts: tables stored with features, or those of this Python."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from ..format.manifest import CONTRACT
from .unicode_database import VERSION, unicode_tables
from .unicode_tables import UnicodeTables

_RULES = 1
_FORM = "NFC"


class PythonUnicode:
    """Unicode rules of the running Python, for features of version 0.1.0, which store no tables."""

    @property
    def contract(self) -> dict[str, Any]:
        """Settings that are stored with the features: {"contract": {...}}, or nothing."""
        return {}

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Arrays that are stored with the features."""
        return {}

    @property
    def described(self) -> dict[str, Any]:
        """Entries for the description of an input."""
        return {}


class TableUnicode:
    """Unicode by tables of the Python that ran the training.

    Args:
        version: of Unicode.
    """

    more: ClassVar[dict[str, str]] = {}  # further entries of the contract

    def __init__(self, tables: UnicodeTables, version: str):
        self.tables, self._version = tables, version

    @classmethod
    def trained(cls) -> Self:
        """Create rules with the tables of the running Python."""
        return cls(unicode_tables(_FORM), VERSION)

    @property
    def contract(self) -> dict[str, Any]:
        return {CONTRACT: {"rules": _RULES, **self.described}}

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        return self.tables.arrays

    @property
    def described(self) -> dict[str, Any]:
        return {"normalization": _FORM, **self.more, "unicode": self._version}


_Python = TypeVar("_Python", bound=PythonUnicode)
_Table = TypeVar("_Table", bound=TableUnicode)


def restored(
    settings: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    old: type[_Python],
    new: type[_Table],
) -> _Python | _Table:
    """Restore the rules of stored features.

    Raises:
        KeyError, TypeError, ValueError: an unknown contract, or invalid tables.
    """
    if CONTRACT not in settings:
        return old()
    contract = settings[CONTRACT]
    version = contract.get("unicode") if isinstance(contract, dict) else None
    if not isinstance(version, str) or not re.fullmatch(r"\d{1,3}(\.\d{1,3}){0,2}", version):
        raise ValueError("contract must have the version of its Unicode tables")
    rules = new(UnicodeTables.restore(arrays), version)
    if contract != rules.contract[CONTRACT]:
        raise ValueError(f"contract must be {rules.contract[CONTRACT]}, got {contract!s:.200}")
    return rules
