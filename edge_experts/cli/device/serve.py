from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..help import RARE, WRITING
from ..shared_options import BundleOrRoot, Context, MemoryBudget, Threads, require_serving, size

if TYPE_CHECKING:
    from ...serving.api_keys import ApiKeys

_BODY = 8_000_000  # bytes
_SEQUENCES, _SECONDS = 2, 300  # of a language model


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
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="API keys, one a line; requests without one get status 401.",
            show_default="no keys",
        ),
    ] = None,
    context: Context = None,
    sequences: Annotated[
        int | None,
        typer.Option(
            help="Texts that are written at the same time.",
            min=1,
            show_default="2",
            rich_help_panel=WRITING,
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            help="Largest max_tokens of a request.",
            min=1,
            show_default="no limit but the context",
            rich_help_panel=WRITING,
        ),
    ] = None,
    request_seconds: Annotated[
        int | None,
        typer.Option(
            help="Seconds until a text is ended, with its time in the queue.",
            min=1,
            show_default="300",
            rich_help_panel=WRITING,
        ),
    ] = None,
    memory_budget: MemoryBudget = None,
    threads: Threads = 1,
) -> None:
    """Answer over HTTP, by the Open Inference Protocol.

    Version 2 of the protocol, with metrics for Prometheus. In a folder that bundles are installed
    in, the server switches to a new version between two answers. It has no encryption: for other
    networks, run it behind a proxy that has.

    A language model also answers POST /v1/completions and GET /v1/models, as OpenAI's API does. If
    other machines can connect (--host), it needs --api-key-file.

    Example: edge-experts serve sentiment.bundle --port 8080

    Example: edge-experts serve help.bundle --sequences 4 --context 512
    """
    require_serving()
    from ...format.install_root import resolve
    from ...format.manifest_parser import read_manifest
    from ...runtime.installed import open_runtime
    from ...serving.server import serve as run_server
    from ...serving.server_options import ServerOptions
    from .tasks import COMMANDS, check_options, has_option

    given = {
        "--sequences": sequences,
        "--max-tokens": max_tokens,
        "--request-seconds": request_seconds,
    }
    task = read_manifest(resolve(bundle)).task_type
    if any(given.values()):
        check_options(COMMANDS.get(task), task, given)
    if sequences is None:
        sequences = _SEQUENCES if has_option(task, "--sequences") else 1
    options = ServerOptions(
        host=host,
        port=port,
        queue=queue,
        most_bytes=_BODY if max_body is None else max_body,
        most_examples=max_examples,
        grace=grace,
        keys=None if api_key_file is None else _keys(api_key_file),
        sequences=sequences,
        most_tokens=max_tokens,
        request_seconds=request_seconds or _SECONDS,
    )
    runtime = open_runtime(
        bundle,
        memory_budget=memory_budget,
        threads=threads,
        context=context,
        sequences=sequences,
        monitor=True,
    )
    run_server(runtime, options)


def _keys(path: Path) -> ApiKeys:
    """Read API keys; warns if other users can read them too."""
    from ...serving.api_keys import ApiKeys, is_readable_by_others

    keys = ApiKeys.read(path)
    if is_readable_by_others(path):
        print(
            f"edge-experts: warning: {path}: other users may read the keys; run chmod 600 {path}",
            file=sys.stderr,
        )
    return keys
