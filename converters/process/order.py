"""Options of a conversion that its worker processes need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# Setting: the number of calibration examples that a router is calibrated on, the first ones.
ROUTER_ROWS = "router_rows"


@dataclass(frozen=True)
class Order:
    """Options of one conversion for its worker processes.

    Attributes:
        networks: "module:class" of the task's networks; see `tasks.networks`.
        layout: "split", or one network of all; see `LAYOUTS`.
        top_k: the number of experts that answer an input.
        second: True if the router's second choice answers too when the first is uncertain.
        settings: the task's own settings, which change the bytes of files.
    """

    networks: str = "edge_experts.converters.tasks.networks:ClassificationNetworks"
    layout: str = "split"
    top_k: int = 1
    second: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
