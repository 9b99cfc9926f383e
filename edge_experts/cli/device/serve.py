from __future__ import annotations

from typing import Annotated

import typer

from ..help import RARE
from ..shared_options import BundleOrRoot, MemoryBudget, Threads, require_serving, size

_BODY = 8_000_000  # bytes


def serve(
    bundle: BundleOrRoot,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen at; 0.0.0.0 for all networks.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8080,
    queue: Annotated[
        int, typer.Option(help="Most waiting requests; others get status 503.", min=1)
    ] = 64,
    max_body: Annotated[
        int | None,
        typer.Option(
            parser=size,
            metavar="SIZE",
            help="Largest body of a request.",
            show_default="8MB",
            rich_help_panel=RARE,
        ),
    ] = None,
    max_examples: Annotated[
        int,
        typer.Option(help="Most examples in a request.", min=1, rich_help_panel=RARE),
    ] = 1024,
    grace: Annotated[
        int,
        typer.Option(
            help="Seconds to finish running requests at shutdown.", min=0, rich_help_panel=RARE
        ),
    ] = 30,
    memory_budget: MemoryBudget = None,
    threads: Threads = 1,
) -> None:
    """Answer over HTTP, by the Open Inference Protocol.

    Version 2 of the protocol, with metrics for Prometheus. In a folder that bundles are installed
    in, the server switches to a new version between two answers. It has no authentication and no
    encryption: for other networks, run it behind a proxy that has.

    Example: edge-experts serve sentiment.bundle --port 8080
    """
    require_serving()
    from ...runtime.installed import open_runtime
    from ...serving.server import serve as run_server

    runtime = open_runtime(bundle, memory_budget=memory_budget, threads=threads, monitor=True)
    run_server(
        runtime,
        host=host,
        port=port,
        queue=queue,
        most_bytes=_BODY if max_body is None else max_body,
        most_examples=max_examples,
        grace=grace,
    )
