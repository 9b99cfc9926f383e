"""The server process: socket, routes, and graceful shutdown."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping

import uvicorn

from ..errors import MachineError
from ..runtime.bundles_together import Runtime
from ..runtime.metrics import RuntimeCollector
from .connections import Connection
from .routes import make_app
from .served_models import ServedModels
from .server_metrics import Metrics, ModelMetrics
from .server_options import ServerOptions
from .service import Service
from .task_routes import task_routes


def serve(runtimes: Mapping[str, Runtime], options: ServerOptions) -> None:
    """Answer HTTP requests until SIGINT or SIGTERM.

    The port is printed to stderr. Running requests are finished first, for at most
    `options.grace` seconds.

    Args:
        runtimes: by the names of the models.

    Raises:
        MachineError: the address cannot be used.
        UsageError: a bundle's task needs other options.
    """
    metrics = Metrics(by_model=len(runtimes) > 1)
    collected = runtimes if metrics.by_model else next(iter(runtimes.values()))
    metrics.registry.register(RuntimeCollector(collected))
    models = ServedModels(
        Service(
            runtime,
            name=name,
            queue=options.queue,
            most_parts=options.most_examples,
            metrics=ModelMetrics(metrics, name),
        )
        for name, runtime in runtimes.items()
    )
    of_tasks = task_routes(models, options)
    app = make_app(models, metrics, options, of_tasks)
    host, port = options.host, options.port
    listening = _listen(host, port)
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        log_level="warning",
        access_log=False,
        # Connections that are idle, or whose body is arriving, are not in the queue.
        limit_concurrency=4 * options.queue * len(runtimes) + 64,
        timeout_graceful_shutdown=options.grace,
        server_header=False,
    )
    where = f"[{host}]" if ":" in host else host
    more = "".join(f", {one.title}" for one in of_tasks)
    said = (
        f"Serving {', '.join(runtimes)} at http://{where}:{listening.getsockname()[1]}/v2 "
        f"(Open Inference Protocol){more}; Ctrl-C ends it"
    )
    _Server(config, said).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Server that announces itself once it answers and a signal ends it in order."""

    def __init__(self, config: uvicorn.Config, said: str) -> None:
        super().__init__(config)
        self._said = said

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._said, file=sys.stderr, flush=True)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise MachineError(
            f"--host {host} --port {port}: cannot be listened at ({error}); name another"
        ) from None
