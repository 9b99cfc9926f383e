"""The server process: a socket, the routes, and an orderly end."""

from __future__ import annotations

import socket
import sys

import uvicorn

from ..errors import MachineError
from ..runtime import ExpertRuntime
from ..runtime.installed import InstalledRuntime
from ..runtime.metrics import RuntimeCollector
from .app import make_app
from .metrics import Metrics
from .service import Service


def serve(
    runtime: ExpertRuntime | InstalledRuntime,
    *,
    host: str,
    port: int,
    queue: int,
    most_bytes: int,
    most_examples: int,
    grace: int,
) -> None:
    """Answer HTTP requests until a signal (SIGINT, SIGTERM) ends it.

    What is being answered then is finished first, for at most `grace` seconds.

    Args:
        port: 0 takes a free one; stderr says which.
        queue, most_bytes, most_examples: see `Service` and `Routes`.

    Raises:
        MachineError: the address cannot be used.
    """
    metrics = Metrics()
    metrics.registry.register(RuntimeCollector(runtime))
    service = Service(runtime, queue=queue, most_parts=most_examples, metrics=metrics)
    app = make_app(service, metrics, most_bytes=most_bytes, most_examples=most_examples)
    listening = _listen(host, port)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        # Beyond the queue there are connections that are idle, or whose body is on its way.
        limit_concurrency=4 * queue + 64,
        timeout_graceful_shutdown=grace,
        server_header=False,
    )
    where = f"[{host}]" if ":" in host else host
    said = (
        f"Serving {runtime.manifest.name} at http://{where}:{listening.getsockname()[1]}/v2 "
        "(Open Inference Protocol); Ctrl-C ends it"
    )
    _Server(config, said).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Says so once it answers, and once a signal ends it in order: both from the same moment."""

    def __init__(self, config: uvicorn.Config, said: str) -> None:
        super().__init__(config)
        self._said = said

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._said, file=sys.stderr, flush=True)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise MachineError(
            f"--host {host} --port {port}: cannot be listened at ({error}); name another"
        ) from None
