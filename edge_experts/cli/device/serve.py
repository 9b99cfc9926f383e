from __future__ import annotations

from typing import Annotated

import typer

from ..options import BundleOrRoot, MemoryBudget, Threads, require_serving, size

_BODY = 8_000_000  # bytes


def serve(
    bundle: BundleOrRoot,
    host: Annotated[
        str, typer.Option(help="Where to listen; 0.0.0.0 is every network of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8080,
    queue: Annotated[
        int, typer.Option(help="How many requests may wait; further ones get 503.", min=1)
    ] = 64,
    max_body: Annotated[
        int | None,
        typer.Option(
            parser=size, metavar="SIZE", help="Largest body of a request.  [default: 8MB]"
        ),
    ] = None,
    max_examples: Annotated[
        int, typer.Option(help="Most examples of a request; of translators, sentences.", min=1)
    ] = 1024,
    grace: Annotated[
        int, typer.Option(help="Seconds to finish what is being answered at the end.", min=0)
    ] = 30,
    memory_budget: MemoryBudget = None,
    threads: Threads = 1,
) -> None:
    """Answer over HTTP, by the Open Inference Protocol (version 2), with metrics for Prometheus.

    Where bundles are installed, it moves over to a newly installed one between two answers. It has
    no passwords and no encryption: beyond this machine, put it behind a proxy that has.

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
