"""Routes that only bundles of one task have, beside those of all bundles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from starlette.routing import BaseRoute

from ..registry import Registry
from .endpoints import Endpoints
from .served_models import ServedModels
from .server_options import ServerOptions
from .service import Service

TASK_ROUTES = Registry(
    "edge_experts.http_routes",
    {"language-model": f"{__package__}.completions:Completions"},
)


class TaskRoutes(Protocol):
    """Endpoints of one task.

    Args:
        own: services of the bundles of this task, at least one.
        models: all models of the server.

    Attributes:
        title: their place and API in words, for the message that the server prints.

    Raises:
        UsageError: the task needs other options.
    """

    title: str

    def __init__(self, own: Sequence[Service], models: ServedModels, options: ServerOptions): ...

    def routes(self, endpoints: Endpoints) -> Sequence[BaseRoute]:
        """Create the routes."""

    def close(self) -> None:
        """End all requests, before the services are closed."""


def task_routes(models: ServedModels, options: ServerOptions) -> list[TaskRoutes]:
    """Create the routes of the models' tasks that have own ones."""
    by_task: dict[str, list[Service]] = {}
    for one in models:
        by_task.setdefault(one.runtime.task.name, []).append(one)
    return [
        TASK_ROUTES.get(task)(own, models, options)
        for task, own in by_task.items()
        if TASK_ROUTES.has(task)
    ]
