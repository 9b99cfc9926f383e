"""Command that installs each extra in fresh environments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_experts.cli.shared_options import Json

from .. import output


def install_sizes(
    python: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COMMAND",
            help="A Python to install for, repeatable; this one by default.",
            show_default=False,
        ),
    ] = None,
    extra: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="An extra to install, repeatable; by default the package alone, then each.",
            show_default=False,
        ),
    ] = None,
    repo: Annotated[Path, typer.Option(help="Checkout to install.")] = Path(),
    json: Json = False,
) -> None:
    """Install each extra in a fresh environment.

    A wheel of the checkout is installed with one extra after the other, each time
    in a new environment. pip must find no conflict, and the extra's
    packages must import. Sizes are those of all files, with compiled Python.
    Times depend on the network and on what pip has in its cache.

    The exit code is 5 if an extra cannot be installed or imported.

    Example: python -m benchmarks install-sizes --python python3.12 --extra device
    """
    import sys

    from .install_sizes import as_table, check, extras_of, measure

    known = extras_of(repo)
    for name in extra or ():
        if name not in known:
            raise typer.BadParameter(
                f"{name!r} is no extra of pyproject.toml; these are {', '.join(known)}",
                param_hint="--extra",
            )
    found = measure(repo, python or [sys.executable], extra or ["", *known])
    output.show({"installs": [one._asdict() for one in found]}, as_table(found), json=json)
    check(found)
