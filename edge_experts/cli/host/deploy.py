from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..help import RARE
from ..shared_options import AllowOlder, Bundle, Json, Trust, print_json

if TYPE_CHECKING:
    from ...deploying import Outcome


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
    root: Annotated[
        str, typer.Option(help="Folder on the board for all files.", metavar="FOLDER")
    ] = "~/.local/share/edge-experts",
    name: Annotated[
        str | None,
        typer.Option(help="Name of the bundle on the board.", show_default="its own"),
    ] = None,
    ssh: Annotated[
        str,
        typer.Option("--ssh", "-e", metavar="COMMAND", help="ssh with options, as 'ssh -p 2222'."),
    ] = "ssh",
    python: Annotated[
        str, typer.Option(metavar="COMMAND", help="The board's Python, 3.11 to 3.13.")
    ] = "python3",
    wheels: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of wheels for the board.",
            show_default="fetched by pip",
            rich_help_panel=RARE,
        ),
    ] = None,
    trust: Trust = None,
    allow_older: AllowOlder = False,
    unit: Annotated[
        bool,
        typer.Option(
            "--unit",
            help="Install the HTTP server too, with a systemd unit.",
        ),
    ] = False,
    port: Annotated[int, typer.Option(help="Port of the unit's server.", min=1, max=65535)] = 8080,
    benchmark: Annotated[
        bool, typer.Option("--benchmark/--no-benchmark", help="Benchmark the bundle there.")
    ] = True,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder to save the benchmarks in.",
            show_default="BUNDLE's name with .boards",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only report what would be sent.")
    ] = False,
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
    _end(outcomes)


def _end(outcomes: list[Outcome]) -> None:
    """Print all failures to stderr, and exit with the code of the first one."""
    import sys

    failed = [one.error for one in outcomes if one.error is not None]
    for error in failed:
        print(f"edge-experts: {error}", file=sys.stderr)
    if failed:
        raise typer.Exit(failed[0].exit_code)
