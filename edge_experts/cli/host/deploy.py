from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import AllowOlder, Bundle, Json, Trust, print_json

if TYPE_CHECKING:
    from ...deploying import Outcome


def deploy(
    bundle: Bundle,
    hosts: Annotated[
        list[str],
        typer.Argument(
            metavar="HOST...",
            help="Boards as ssh takes them: user@host, or names of ~/.ssh/config.",
            show_default=False,
        ),
    ],
    root: Annotated[
        str, typer.Option(help="The folder on the board that everything goes into.")
    ] = "~/.local/share/edge-experts",
    name: Annotated[
        str | None,
        typer.Option(help="Of the bundle on the board.  [default: its own]", show_default=False),
    ] = None,
    ssh: Annotated[
        str,
        typer.Option("--ssh", "-e", help="The ssh command, such as 'ssh -p 2222 -i my.key'."),
    ] = "ssh",
    python: Annotated[str, typer.Option(help="The board's Python, 3.11 or later.")] = "python3",
    wheels: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Take the board's packages from here instead of the network.",
            show_default=False,
        ),
    ] = None,
    trust: Trust = None,
    allow_older: AllowOlder = False,
    unit: Annotated[
        bool,
        typer.Option(
            "--unit",
            help="Also bring the server, write a unit for systemd beside the bundle, and print the "
            "command that enables it.",
        ),
    ] = False,
    port: Annotated[int, typer.Option(help="Of the unit's server.", min=1, max=65535)] = 8080,
    benchmark: Annotated[
        bool, typer.Option("--benchmark/--no-benchmark", help="Also measure the bundle there.")
    ] = True,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where each board's benchmark is kept.  [default: beside the bundle, .boards]",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask the boards, and change nothing on them.")
    ] = False,
    json: Json = False,
) -> None:
    """Install a bundle on boards over ssh, prove it and measure it there; all boards at once.

    The first time, the device part goes along into a virtual environment (the board needs Python,
    rsync, and no network); later, only files that changed. A board where anything fails answers as
    before, and the others go on.

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
    """Every failure on stderr, and the first one's exit code."""
    import sys

    failed = [one.error for one in outcomes if one.error is not None]
    for error in failed:
        print(f"edge-experts: {error}", file=sys.stderr)
    if failed:
        raise typer.Exit(failed[0].exit_code)
