"""Fleets over a real ssh: stages, failures, the state of sites, and the table that names them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.deploying.fleet import read_sites
from edge_experts.deploying.fleet.server_state import ServerState, read_metrics
from edge_experts.errors import DataError, UsageError
from tests.conftest import run_cli
from tests.tiny import tiny_bundle

from .conftest import ROOT
from .sshd import Board, Server


@pytest.fixture(scope="module")
def boards(server: Server, pi: Board) -> None:
    """Three boards that share a home folder."""
    for name in ("kitchen", "garden", "cellar"):
        server.board(name, like=pi)


@pytest.fixture
def sites(boards: None, tmp_path: Path) -> Path:
    """A folder with two bundles."""
    tiny_bundle(tmp_path / "one.bundle")
    tiny_bundle(tmp_path / "two.bundle", seeds=(0, 5))
    return tmp_path


def _fleet(server: Server, table: Path, *options: object) -> subprocess.CompletedProcess[str]:
    return run_cli("fleet", table, "-e", server.ssh, "--no-benchmark", *options)


def test_sites_get_their_bundles_stage_by_stage(server: Server, pi: Board, sites: Path) -> None:
    table = sites / "sites.csv"
    table.write_text(
        "host,bundle,stage,name\n"
        "kitchen,one.bundle,2,fleet-kitchen\n"
        "garden,two.bundle,1,fleet-garden\n"
    )
    done = _fleet(server, table, "--json", "--report", sites / "sites.html")
    assert done.returncode == 0, done.stderr
    first, second = (done.stderr.index(f"Stage {stage}: ") for stage in (1, 2))
    assert first < done.stderr.index("garden: 4/4") < second < done.stderr.index("kitchen: 4/4")
    found = json.loads(done.stdout)["sites"]
    assert [site["host"] for site in found] == ["kitchen", "garden"]
    for site, bundle in zip(found, ("one", "two"), strict=True):
        there = pi.home / ROOT / f"bundles/fleet-{site['host']}/current"
        assert there.readlink().name == site["current"]
        manifest = (there / "manifest.json").read_bytes()
        assert manifest == (sites / f"{bundle}.bundle/manifest.json").read_bytes()
    page = (sites / "sites.html").read_text("utf-8")
    assert "2 sites: 2 updated." in page
    again = _fleet(server, table)
    assert "2 sites: 2 current." in again.stdout


def test_a_stage_with_a_failure_is_the_last_one(server: Server, pi: Board, sites: Path) -> None:
    server.client("unplugged", port=1)
    table = sites / "sites.csv"
    table.write_text(
        "host,bundle,stage,name\n"
        "kitchen,one.bundle,1,stop-kitchen\n"
        "unplugged,one.bundle,1,\n"
        "cellar,one.bundle,2,stop-cellar\n"
    )
    done = _fleet(server, table)
    assert done.returncode == 6
    assert "Connection refused" in done.stderr
    states = {line.split()[0]: " ".join(line.split()[2:4]) for line in done.stdout.splitlines()[3:]}
    assert states["kitchen"].startswith("updated")
    assert states["unplugged"].startswith("failed")
    assert states["cellar"] == "not begun"
    assert not (pi.home / ROOT / "bundles/stop-cellar").exists()
    table.write_text(
        "host,bundle,name\nkitchen,one.bundle,stop-kitchen\ncellar,one.bundle,stop-cellar\n"
    )
    assert _fleet(server, table).returncode == 0
    assert (pi.home / ROOT / "bundles/stop-cellar/current").exists()


def test_status_tells_versions_and_what_servers_count(
    server: Server, pi: Board, sites: Path
) -> None:
    table = sites / "sites.csv"
    table.write_text("host,bundle,name\nkitchen,one.bundle,told\ngarden,one.bundle,absent\n")
    only = sites / "kitchen.csv"
    only.write_text("host,bundle,name\nkitchen,one.bundle,told\n")
    assert _fleet(server, only, "--unit").returncode == 0
    program = pi.home / ROOT / "environment/bin/edge-experts"
    bundle = pi.home / ROOT / "bundles/told"
    command = [str(program), "serve", str(bundle), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as child:
        try:
            assert child.stderr is not None
            address = next(
                found[0] for line in child.stderr if (found := re.findall(r"http://[\d.:]+", line))
            )
            port = address.rsplit(":", 1)[1]
            for _ in range(3):
                urllib.request.urlopen(f"{address}/v2/health/ready", timeout=20).close()
            done = _fleet(server, table, "--status", "--port", port, "--json")
        finally:
            child.send_signal(signal.SIGTERM)
    assert done.returncode == 0, done.stderr
    told, absent = json.loads(done.stdout)["sites"]
    assert told["current"] == (bundle / "current").readlink().name
    assert told["server"]["answers"] == 0
    assert absent["current"] is None
    assert absent["deployment"] is None
    silent = _fleet(server, table, "--status", "--port", 1)
    assert silent.returncode == 0, silent.stderr
    assert "as it was" in silent.stdout


def test_a_dry_run_changes_no_site(server: Server, pi: Board, sites: Path) -> None:
    table = sites / "sites.csv"
    table.write_text("host,bundle,name\nkitchen,one.bundle,fleet-dry\n")
    done = _fleet(server, table, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "would be sent" in done.stdout
    assert not (pi.home / ROOT / "bundles/fleet-dry").exists()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "no column host"),
        ("host\n", "no column bundle"),
        ("host,bundle\n", "has no sites"),
        ("host,bundle,colour\na,one.bundle,red\n", "'colour' is unknown"),
        ("host,bundle,host\na,one.bundle,b\n", "'host' is there twice"),
        ("host,bundle\na,one.bundle\na,one.bundle\n", "a: a host may be in one row only"),
        ("host,bundle\n,one.bundle\n", "line 2: `host` is empty"),
        ("host,bundle\na,other.bundle\n", "there is no such folder"),
        ("host,bundle,stage\na,one.bundle,0\n", "stage '0'"),
        ("host,bundle,stage\na,one.bundle,first\n", "stage 'first'"),
        ("host,bundle,stage\na,one.bundle,\n", "stage ''"),
        ("host,bundle,run\na,one.bundle,one.bundle\n", "has `run` but no `data`"),
        ("host,bundle,run,data\na,one.bundle,,x.csv\n", "has `data` but no `run`"),
        ("host,bundle\na,one.bundle,3\n", "more cells"),
        ('host,bundle\n"a\n', "there is no such folder|`bundle` is empty"),
    ],
)
def test_a_wrong_table_is_refused_by_its_line(tmp_path: Path, text: str, wrong: str) -> None:
    (tmp_path / "one.bundle").mkdir()
    table = tmp_path / "sites.csv"
    table.write_text(text)
    with pytest.raises(DataError, match=wrong):
        read_sites(table)


def test_a_table_may_have_a_mark_tabs_and_spaces(tmp_path: Path) -> None:
    (tmp_path / "one.bundle").mkdir()
    table = tmp_path / "sites.tsv"
    table.write_bytes(
        "\ufeffhost\t bundle \r\npi@a \t one.bundle\r\n\r\npi@b\tone.bundle\r\n".encode()
    )
    assert [(site.host, site.stage) for site in read_sites(table)] == [("pi@a", 1), ("pi@b", 2)]
    with pytest.raises(UsageError, match="name the table"):
        read_sites(tmp_path / "none.csv")
    table.write_bytes(b"host,bundle\n\xff,\xfe\n")
    with pytest.raises(DataError, match="UTF-8"):
        read_sites(table)


@given(st.text())
def test_metrics_of_any_program_are_read_or_are_none(text: str) -> None:
    found = read_metrics(text)
    assert found is None or isinstance(found, ServerState)


def test_counts_of_all_experts_are_summed() -> None:
    text = (
        "# HELP edge_experts_answers_total Answers\n"
        'edge_experts_answers_total{expert="0"} 3.0\n'
        'edge_experts_answers_total{expert="1"} 4.0\n'
        "edge_experts_degraded_total 1.0\nedge_experts_quarantined 2\nedge_experts_drift 1.0\n"
        "edge_experts_resident nan\nedge_experts_loads what\n"
    )
    assert read_metrics(text) == ServerState(7, 1, 2, drift=True)
    assert read_metrics("go_goroutines 7\n") is None
