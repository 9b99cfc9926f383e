"""What a board takes, and the check of a file against it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass

from edge_experts.errors import UnsuitableError

from ..recipes import RECIPE_NAMES
from .reading import read

ANY_VERSION = 99  # in a table: the interpreter does not look at versions


@dataclass(frozen=True)
class Target:
    """Where a bundle is to run.

    Attributes:
        name: what `--target` calls it.
        what: the same in words.
        package: the Python package of its interpreter.
        version: of the package, that the table of operators was taken from.
        operators: the highest version of each operator that it takes.
        refused_types: operators that it refuses, or dies of, on a first input of that type, in
            versions that it takes otherwise; by the schema's names.
        recipes: what its files may be made by.
        remedy: what to try where it refuses a file.
    """

    name: str
    what: str
    package: str
    version: str
    operators: Mapping[str, int]
    refused_types: frozenset[tuple[str, str]] = frozenset()
    recipes: tuple[str, ...] = RECIPE_NAMES
    remedy: str = "try another --quantization, or another --target"

    @property
    def installed(self) -> bool:
        """Whether its interpreter is on this machine."""
        return importlib.util.find_spec(self.package) is not None

    def check(self, content: bytes, name: str) -> None:
        """Compare the operators of a file with those that the target has.

        Args:
            content: of a .tflite file that the converter made.
            name: of its network, for errors.

        Raises:
            UnsuitableError: the target lacks one.
        """
        where = f"{self.name} ({self.package} {self.version})"
        for operator in read(content).operators:
            what = f"{name}: operator {operator.name} version {operator.version}"
            highest = self.operators.get(operator.name, 0)
            if highest == 0:
                raise UnsuitableError(f"{what}: {where} does not have it; {self.remedy}")
            if operator.version > highest:
                raise UnsuitableError(
                    f"{what}: {where} has it up to version {highest}; {self.remedy}"
                )
            for type_ in operator.types:
                if (operator.name, type_) in self.refused_types:
                    raise UnsuitableError(
                        f"{what}: {where} does not have it for {type_}; {self.remedy}"
                    )

    def refuse_recipe(self, quantization: str) -> None:
        """Raises UnsuitableError where the target takes no files made so."""
        if quantization != "auto" and quantization not in self.recipes:
            raise UnsuitableError(
                f"--target {self.name} takes --quantization {' or '.join(self.recipes)}, "
                f"got {quantization}"
            )


def table(text: str) -> dict[str, int]:
    """'ABS 5, ADD 4' as the highest version of each operator; 'ABS' alone: any version."""
    entries = (entry.split() for entry in text.split(","))
    return {name: int(*version) if version else ANY_VERSION for name, *version in entries}
