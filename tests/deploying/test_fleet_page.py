"""Commands of docs/fleet-of-boards.md, on boards that share a home folder.

The row with data of its site is tested where trainings are, in tests/host.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from edge_experts.deploying.fleet import fleet_page
from edge_experts.deploying.fleet.site_result import SiteResult
from edge_experts.deploying.fleet.sites import Site
from edge_experts.errors import UsageError
from tests.conftest import run_cli
from tests.documents import pages
from tests.tiny import tiny_bundle

from .conftest import ROOT
from .sshd import Board, Server


def test_the_pages_commands_update_report_and_return(
    server: Server, pi: Board, tmp_path: Path
) -> None:
    head, *rows = pages.commands("<!-- fleet table -->")
    hosts = [row.split(",")[0].removeprefix("pi@").removesuffix(".local") for row in rows]
    assert (head, len(hosts)) == ("host,bundle,stage,run,data", 3)
    # Names differ, as the boards' home folder is one.
    table = [f"{host},sentiment.bundle,{row.split(',')[2]},page-{host}" for host, row in zip(
        hosts, rows, strict=True)]  # fmt: skip
    (tmp_path / "sites.csv").write_text("\n".join(["host,bundle,stage,name", *table]))
    for host in hosts:
        server.board(host, like=pi)
    bundle = tiny_bundle(tmp_path / "sentiment.bundle")
    first = json.loads((bundle / "manifest.json").read_text())["digest"]

    def run(command: str) -> str:
        program, *words = shlex.split(command)
        assert program == "edge-experts"
        options = ("-e", server.ssh, "--no-benchmark")
        done = run_cli(*words, *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    dry, update, status = pages.commands("<!-- fleet -->")
    assert "would be sent" in run(dry)
    assert "3 sites: 3 updated." in run(update)
    assert (tmp_path / "sites.html").is_file()
    tiny_bundle(tmp_path / "second" / "sentiment.bundle", version=2, seeds=(0, 2))
    (tmp_path / "sites.csv").write_text(
        "\n".join(["host,bundle,stage,name", *table]).replace(",sent", ",second/sent")
    )
    run(update)
    told = run(status)
    assert all(host in told for host in hosts)
    (rollback,) = pages.commands("<!-- fleet rollback -->")
    program, host, *words = shlex.split(rollback)
    assert (program, host) == ("ssh", f"pi@{hosts[1]}.local")
    words[-1] = f"{ROOT}/bundles/page-{hosts[1]}"
    ssh = [*shlex.split(server.ssh), hosts[1], *words]
    done = subprocess.run(ssh, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    current = pi.home / ROOT / f"bundles/page-{hosts[1]}/current/manifest.json"
    assert json.loads(current.read_text())["digest"] == first


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("run `a <b>` again", "run <code>a &lt;b&gt;</code> again"),
        ("a ` alone", "a ` alone"),
    ],
)
def test_commands_in_errors_are_code(reason: str, shown: str) -> None:
    site = Site("kitchen", Path("a.bundle"), 1)
    assert shown in fleet_page.as_html([SiteResult(site, error=UsageError(reason))])
