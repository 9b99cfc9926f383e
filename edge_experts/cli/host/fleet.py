from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..shared_options import AllowOlder, Json, Trust, print_json
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


def fleet(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="SITES.csv",
            help="Table with a row for each site: host, bundle, ...",
            show_default=False,
        ),
    ],
    status: Annotated[
        bool, typer.Option("--status", help="Only query the sites; change nothing.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Also write the results as a page.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder for trained experts and benchmarks.",
            show_default="SITES.fleet",
        ),
    ] = None,
    root: RootOnBoard = "~/.local/share/edge-experts",
    ssh: Ssh = "ssh",
    python: BoardPython = "python3",
    wheels: Wheels = None,
    trust: Trust = None,
    allow_older: AllowOlder = False,
    unit: Unit = False,
    port: Annotated[int, typer.Option(help="Port of the sites' servers.", min=1, max=65535)] = 8080,
    benchmark: BenchmarkThere = True,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Update many sites in stages, each with its experts.

    The table has the columns host and bundle, and may have stage, name, run and data. For a site
    with data, one expert is trained and added to the bundle, if it gains. All sites of a stage are
    updated in parallel; a stage with a failure is the last one. The same command goes on. The
    report has versions, benchmarks, and what the sites' servers count: answers and drift.

    Example: edge-experts fleet sites.csv --report sites.html

    Example: edge-experts fleet sites.csv --status
    """
    from ...deploying import fleet as fleets
    from ...deploying import saving
    from ...deploying.deploy_options import DeployOptions
    from ...deploying.fleet import additions, fleet_page
    from ...format.atomic import write_whole
    from ...text_table import terminal_columns

    if report is not None:
        fleet_page.require(report)
    sites = fleets.read_sites(table)
    folder = table.with_suffix(".fleet") if save is None else save
    saving.refuse_unwritable(folder)
    options = DeployOptions(
        root=root,
        ssh=ssh,
        python=python,
        wheels=wheels,
        trust=tuple(trust or ()),
        allow_older=allow_older,
        unit=port if unit else None,
        benchmark=benchmark,
        dry_run=dry_run,
    )

    def told(line: str) -> None:
        print(line, file=sys.stderr)

    if status:
        results = fleets.states_of(sites, options, port=port)
    else:
        made = additions.make_additions(sites, folder, told)
        results = fleets.roll_out(sites, made, options, port=port, told=told)
    for one in results:
        if one.outcome is not None and one.outcome.benchmark is not None:
            saving.save(one.outcome, folder)
    if report is not None:
        write_whole(report, fleet_page.as_html(results))
    if json:
        print_json({"schema_version": "1.0", "sites": [one.to_json() for one in results]})
    else:
        print("\n".join(fleets.as_text(results, terminal_columns())))
    exit_for(one.error for one in results)
