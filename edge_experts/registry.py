"""Registries of implementations by name: built-in ones and those of other installed packages.

Another package adds an implementation by an entry point (importlib.metadata). Every process finds
it there: the command line, the worker processes of a conversion, and a board.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from .errors import MissingPartError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@dataclass(frozen=True)
class Registry:
    """Implementations of one interface, imported at first use.

    Attributes:
        group: group of the entry points that extend it, such as "edge_experts.tasks".
        own: built-in ones by name: "module:attribute", or "module" for the module itself.
    """

    group: str
    own: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the built-in ones, then those of other packages in alphabetical order."""
        others = {point.name for point in _points(self.group)} - set(self.own)
        return (*self.own, *sorted(others))

    def has(self, name: str) -> bool:
        """Test if an installed package provides the implementation of that name."""
        return name in self.names

    def get(self, name: str) -> Any:
        """Return the implementation of that name; built-in ones cannot be replaced.

        Raises:
            MissingPartError: no installed package provides it, or it cannot be imported.
        """
        value = self.own.get(name)
        if value is not None:
            return _imported(value)
        for point in _points(self.group):
            if point.name == name:
                return _loaded(point)
        raise MissingPartError(
            f"no installed package provides {name!r} in {self.group}, which has "
            f"{', '.join(self.names)}; install the package that this task comes from"
        )


@cache
def _imported(value: str) -> Any:
    name, _, attribute = value.partition(":")
    module = importlib.import_module(name)
    return getattr(module, attribute) if attribute else module


@cache
def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        package = "" if point.dist is None else f" of the package {point.dist.name}"
        raise MissingPartError(
            f"{point.name!r} in {point.group} is {point.value}{package}, which cannot be imported: "
            f"{error}; install what it needs, or uninstall the package"
        ) from error


@cache
def _points(group: str) -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points  # not used on a board

    return tuple(entry_points(group=group))
