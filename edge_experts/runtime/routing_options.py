"""Options of routing that trade quality for speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ..errors import UsageError


@dataclass(frozen=True)
class RoutingOptions:
    """How a layer's experts are chosen; the defaults follow the router.

    Attributes:
        prefer_resident: share of the range of a router's scores that is added to those of experts
            in memory, 0 to 1. The router's first choice is always used.
        experts_per_token: number of experts of each layer; None: as many as the bundle says.

    Raises:
        UsageError: a value is invalid.
    """

    prefer_resident: float = 0.0
    experts_per_token: int | None = None

    def __post_init__(self) -> None:
        margin, count = self.prefer_resident, self.experts_per_token
        if type(margin) not in (int, float) or not 0 <= margin <= 1:
            raise UsageError(f"prefer_resident must be 0 to 1, got {margin!r:.40}")
        if count is not None and (type(count) is not int or count < 1):
            raise UsageError(f"experts_per_token must be at least 1, got {count!r:.40}")

    @property
    def given(self) -> Mapping[str, float]:
        """The options that are set, by their names, for statistics."""
        return {name: value for name, value in asdict(self).items() if value}


def told(given: Mapping[str, float]) -> str:
    """Return options and their values in a line of text; empty without any."""
    return ", ".join(f"{name} {value:g}" for name, value in given.items())
