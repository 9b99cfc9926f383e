from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..shared_options import AllowOlder, Bundle, Json, Trust, print_json
from .board_options import (
    BenchmarkThere,
    BoardPython,
    DryRun,
    RootOnBoard,
    Ssh,
    Unit,
    Wheels,
    exit_for,
)


def deploy(
    bundle: Bundle,
    hosts: Annotated[
        list[str],
        typer.Argument(
            metavar="HOST...",
            help="user@host, or names of ~/.ssh/config.",
            show_default=False,
        ),
    ],
    root: RootOnBoard = "~/.local/share/edge-experts",
    name: Annotated[
        str | None,
        typer.Option(help="Name of the bundle on the board.", show_default="its own"),
    ] = None,
    ssh: Ssh = "ssh",
    python: BoardPython = "python3",
    wheels: Wheels = None,
    trust: Trust = None,
    allow_older: AllowOlder = False,
    unit: Unit = False,
    port: Annotated[int, typer.Option(help="Port of the unit's server.", min=1, max=65535)] = 8080,
    benchmark: BenchmarkThere = True,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder to save the benchmarks in.",
            show_default="BUNDLE's name with .boards",
        ),
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Install a bundle on boards over ssh, and benchmark it there.

    All boards are updated in parallel. The first deployment installs the device part in a virtual
    environment; the board needs Python and rsync, but no network. Later ones send changed files
    only. A board where a step fails answers as before, and the others continue.

    Example: edge-experts deploy sentiment.bundle pi@raspberrypi.local

    Example: edge-experts deploy more.bundle pi@kitchen pi@garden --no-benchmark --unit
    """
    from ...deploying import deploy as run_deployment
    from ...deploying import saving

    folder = saving.folder_for(bundle) if save is None else save
    if benchmark and not dry_run:
        saving.refuse_unwritable(folder)
    outcomes = run_deployment(
        bundle,
        hosts,
        root=root,
        name=name,
        ssh=ssh,
        python=python,
        wheels=wheels,
        trust=trust or (),
        allow_older=allow_older,
        unit=port if unit else None,
        benchmark=benchmark,
        dry_run=dry_run,
    )
    saved = {one.host: saving.save(one, folder) for one in outcomes if one.benchmark is not None}
    if json:
        boards = [{**one.to_json(), "saved": saved.get(one.host)} for one in outcomes]
        print_json({"schema_version": "1.0", "boards": boards})
    else:
        print(saving.as_text(outcomes, saved))
    exit_for(one.error for one in outcomes)
