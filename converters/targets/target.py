"""Target of a bundle: its interpreter's operators, and the check of files against them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass

from edge_experts.errors import UnsuitableError

from ..recipes import RECIPE_NAMES
from .tflite_reader import read

ANY_VERSION = 99  # in a table: the interpreter ignores versions


@dataclass(frozen=True)
class Target:
    """System on which a bundle is to run.

    Attributes:
        name: its name in `--target`.
        what: the same in words.
        package: the Python package of its interpreter.
        version: of the package from which the table of operators was taken.
        operators: the highest supported version of each operator.
        refused_types: operators that it refuses, or crashes on, with a first input of that type, in
            versions that it otherwise supports; by the schema's names.
        recipes: supported recipes.
        remedy: alternatives if it refuses a file.
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
        """True if its interpreter is installed on this machine."""
        return importlib.util.find_spec(self.package) is not None

    def check(self, content: bytes, name: str) -> None:
        """Compare the operators of a file with those of the target.

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
        """Raise UnsuitableError if the target does not support files of this recipe."""
        if quantization != "auto" and quantization not in self.recipes:
            raise UnsuitableError(
                f"--target {self.name} takes --quantization {' or '.join(self.recipes)}, "
                f"got {quantization}"
            )


def table(text: str) -> dict[str, int]:
    """Parse 'ABS 5, ADD 4' as the highest version of each operator; 'ABS' alone: any version."""
    entries = (entry.split() for entry in text.split(","))
    return {name: int(*version) if version else ANY_VERSION for name, *version in entries}
