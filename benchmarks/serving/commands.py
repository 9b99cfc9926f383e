"""Command that measures the server on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_experts.cli.shared_options import Bundle, Json

from .. import output


def serving_load(
    bundle: Bundle,
    seconds: Annotated[float, typer.Option(min=1, help="Duration of the load.")] = 60,
    clients: Annotated[int, typer.Option(min=1, help="Connections at the same time.")] = 32,
    json: Json = False,
) -> None:
    """Hold a server at its limit.

    More requests come than it can answer, and every answer is checked.

    The exit code is 5 after a status other than 200 and 503, a wrong answer, a
    broken connection, or memory that grew by more than a megabyte from the
    second quarter to the last.

    Example: python -m benchmarks serving-load sentiment.bundle --seconds 60
    """
    from edge_experts.cli.shared_options import require_serving

    require_serving()
    from .load import as_table, figures, hold_at_limit

    load = hold_at_limit(bundle, seconds, clients)
    content = figures(load, seconds=seconds, clients=clients)
    output.show(content, as_table(content), json=json)
    load.check()
