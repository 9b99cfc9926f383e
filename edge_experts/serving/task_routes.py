"""Routes that only bundles of one task have, beside those of all bundles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from starlette.routing import BaseRoute

from ..registry import Registry
from .endpoints import Endpoints
from .server_options import ServerOptions
from .service import Service

TASK_ROUTES = Registry(
    "edge_experts.http_routes",
    {"language-model": f"{__package__}.completions:Completions"},
)


class TaskRoutes(Protocol):
    """Endpoints of one task.

    Attributes:
        title: their place and API in words, for the message that the server prints.

    Raises:
        UsageError: the task needs other options.
    """

    title: str

    def __init__(self, service: Service, options: ServerOptions): ...

    def routes(self, endpoints: Endpoints) -> Sequence[BaseRoute]:
        """Create the routes."""

    def close(self) -> None:
        """End all requests, before the service is closed."""


def task_routes(service: Service, options: ServerOptions) -> TaskRoutes | None:
    """Create the routes of a bundle's task; None if it has no own ones."""
    name = service.runtime.task.name
    if not TASK_ROUTES.has(name):
        return None
    made: TaskRoutes = TASK_ROUTES.get(name)(service, options)
    return made
