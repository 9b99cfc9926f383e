from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError
from ..help import RARE, WRITING
from ..shared_options import (
    Context,
    ExpertsPerToken,
    MemoryBudget,
    PreferResident,
    Threads,
    require_serving,
    size,
)

if TYPE_CHECKING:
    from ...serving.api_keys import ApiKeys

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"  # of a model, in paths
_BODY = 8_000_000  # bytes
_SEQUENCES, _SECONDS = 2, 300  # of a language model


def serve(
    bundle: Annotated[
        list[Path],
        typer.Argument(
            metavar="[NAME=]BUNDLE...",
            help="Bundles' folders, or folders that bundles are installed in; NAME is the model's "
            "name in requests, by default the bundle's.",
            show_default=False,
        ),
    ],
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
    prefer_resident: PreferResident = 0.0,
    experts_per_token: ExpertsPerToken = None,
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

    Several bundles share --memory-budget: experts that are needed replace those of the bundle that
    was used least recently. Each has its own queue.

    A language model also answers POST /v1/completions and GET /v1/models, as OpenAI's API does. If
    other machines can connect (--host), it needs --api-key-file.

    Example: edge-experts serve sentiment.bundle --port 8080

    Example: edge-experts serve help.bundle --sequences 4 --context 256

    Example: edge-experts serve sentiment.bundle docs=help.bundle --memory-budget 64MB
    """
    require_serving()
    from ...runtime.bundles_together import open_together
    from ...serving.server import serve as run_server
    from ...serving.server_options import ServerOptions

    bundles = _named(bundle)
    given = {
        "--sequences": sequences,
        "--max-tokens": max_tokens,
        "--request-seconds": request_seconds,
        "--context": context,
        "--prefer-resident": prefer_resident or None,
        "--experts-per-token": experts_per_token,
    }
    writing = _writing(bundles, given)
    sequences = _SEQUENCES if sequences is None else sequences
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
    of_writing = {
        "context": context,
        "sequences": sequences,
        "prefer_resident": prefer_resident,
        "experts_per_token": experts_per_token,
    }
    runtimes = open_together(
        bundles,
        memory_budget,
        {
            name: {"threads": threads, "monitor": True, **(of_writing if name in writing else {})}
            for name in bundles
        },
    )
    run_server(runtimes, options)


def _named(places: Sequence[Path]) -> dict[str, Path]:
    """Return the bundles by the names of their models.

    Raises:
        UsageError: two have the same name.
    """
    found: dict[str, Path] = {}
    for place in places:
        name, bundle = _name(place)
        if name in found:
            raise UsageError(
                f"{found[name]} and {bundle}: both models have the name {name!r}; name one of them "
                f"otherwise, as in NAME={bundle}"
            )
        found[name] = bundle
    return found


def _name(place: Path) -> tuple[str, Path]:
    """Split NAME=BUNDLE; the bundle's own name is the default."""
    from ...format.install_root import resolve
    from ...format.manifest_parser import read_manifest

    name, equals, bundle = str(place).partition("=")
    if not equals or "/" in name or place.exists():
        return read_manifest(resolve(place)).name, place
    if not re.fullmatch(_NAME, name):
        raise UsageError(
            f"{place}: a model's name must be of letters, digits, '.', '_' and '-', got {name!r}"
        )
    return name, Path(bundle)


def _writing(bundles: Mapping[str, Path], given: Mapping[str, float | None]) -> set[str]:
    """Return the names of the language models.

    Raises:
        UsageError: there is none, and an option for them is given.
    """
    from ...format.install_root import resolve
    from ...format.manifest_parser import read_manifest
    from .tasks import COMMANDS, check_options, has_option

    tasks = {name: read_manifest(resolve(bundle)).task_type for name, bundle in bundles.items()}
    found = {name for name, task in tasks.items() if has_option(task, "--sequences")}
    if any(given.values()) and not found:
        task = next(iter(tasks.values()))
        check_options(COMMANDS.get(task), task, given)
    return found


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
