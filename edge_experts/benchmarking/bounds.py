"""Bounds of measured fields, as parts of their types; readers of results check them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

LARGEST = 1e15  # of any number; measured values are below it
SAMPLES = 100_000  # of any list


@dataclass(frozen=True)
class Within:
    """Bounds of a number, both included."""

    least: float = -LARGEST
    most: float = LARGEST


@dataclass(frozen=True)
class Length:
    """Bounds of the length of a list, or of the number of an object's entries."""

    least: int = 0
    most: int = SAMPLES


Count = Annotated[int, Within(0)]
Positive = Annotated[int, Within(1)]
Amount = Annotated[float, Within(0)]
Share = Annotated[float, Within(0, 1)]
Samples = Annotated[tuple[float, ...], Length(1)]
Interval = tuple[float, float]
