"""One input of a bundle: an example or a problem, with its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import UsageError


@dataclass(frozen=True)
class Input:
    """One input.

    Attributes:
        name: label of the input beside its answer.
        where: its file and line, for errors.
        number: number of its line, or its index in an array, from 1.
        example: None if there is a problem.
        problem: why it is not an example.
    """

    name: str
    where: str
    number: int
    example: Any = None
    problem: UsageError | None = None

    def value(self) -> Any:
        """Return the example, or raise its problem.

        Raises:
            UsageError: the input is not an example; see `problem`.
        """
        if self.problem is not None:
            raise self.problem
        return self.example

    def told(self, error: UsageError) -> str:
        """Message of the error, with the place of the input before it."""
        text = str(error)
        return text if text.startswith(self.where) else f"{self.where}: {text}"
