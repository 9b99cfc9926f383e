"""Bundles to boards over a real ssh and a real rsync; the boards are logins to this machine."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from edge_experts.deploying import Outcome
from tests.conftest import run_cli
from tests.tiny import tiny_bundle

from .conftest import ROOT, Deploy, tree
from .sshd import Board, Server


def _there(board: Board, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the deployed edge-experts as somebody on the board would."""
    program = board.home / ROOT / "environment/bin/edge-experts"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_a_first_deployment_brings_all_that_a_board_needs(first: tuple[Board, Outcome]) -> None:
    board, outcome = first
    assert outcome.environment == "built"
    assert outcome.previous is None
    assert outcome.golden_examples == 4
    assert outcome.bundle == str(board.home / ROOT / "bundles/signed")
    (environment,) = (board.home / ROOT / "environments").iterdir()
    assert (board.home / ROOT / "environment").resolve() == environment
    done = _there(board, "verify", outcome.bundle)
    assert done.returncode == 0, done.stderr
    assert "signed by" in done.stdout


def test_an_environment_that_is_right_is_left_alone(pi: Board, go: Deploy, tmp_path: Path) -> None:
    environment = pi.home / ROOT / "environments"
    before = tree(environment)
    bundle = tiny_bundle(tmp_path / "again.bundle")
    outcome = go(bundle, "pi", name="again")
    assert (outcome.environment, outcome.wheels_bytes, outcome.changed) == ("kept", 0, True)
    again = go(bundle, "pi", name="again")
    assert (again.environment, again.changed, again.current) == ("kept", False, outcome.current)
    assert tree(environment) == before
    assert not (pi.home / ROOT / "staging/again").exists()


def test_one_changed_expert_moves_little_more_than_itself(
    server: Server, pi: Board, go: Deploy, tmp_path: Path
) -> None:
    """All bytes of all connections are counted, ssh's own included."""
    size = 500_000
    old = tiny_bundle(tmp_path / "old.bundle", seeds=(0, 1), padding=size)
    assert go(old, "pi", name="large").error is None
    counts = server.relayed("counted", pi)
    new = tiny_bundle(tmp_path / "new.bundle", version=2, seeds=(0, 2), padding=size)
    outcome = go(new, "counted", name="large")
    assert outcome.error is None, outcome.error
    moved = sum(map(int, counts.read_text().split()))
    expert = (new / "experts/001.tflite").stat().st_size
    assert expert < moved < expert + 64_000
    assert outcome.bundle_bytes is not None
    assert expert < outcome.bundle_bytes < expert + 8_000


def test_a_dry_run_changes_nothing(
    server: Server, pi: Board, go: Deploy, everything: dict[str, object], tmp_path: Path
) -> None:
    fresh = server.board("fresh")
    bundle = tiny_bundle(tmp_path / "dry.bundle")
    total = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
    outcome = go(bundle, "fresh", name="dry", dry_run=True, **everything)
    assert outcome.error is None
    assert outcome.environment == "built"
    assert outcome.wheels_bytes is not None
    assert outcome.wheels_bytes > 10_000_000
    assert (outcome.bundle_bytes, outcome.current) == (total, None)
    assert not list(fresh.home.iterdir())

    before = tree(pi.home)
    assert go(bundle, "pi", name="dry", dry_run=True).wheels_bytes == 0
    assert tree(pi.home) == before


def test_a_board_that_fails_keeps_no_other_from_going_on(
    server: Server, pi: Board, tmp_path: Path
) -> None:
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    server.client("gone", port=1)
    done = run_cli(
        "deploy", bundle, "gone", "pi", "--ssh", server.ssh, "--name", "several", "--json",
        "--no-benchmark",
    )  # fmt: skip
    assert done.returncode == 6
    gone, well = json.loads(done.stdout)["boards"]
    assert (gone["exit_code"], well["exit_code"]) == (6, 0)
    assert "Connection refused" in gone["error"]
    assert gone["error"] in done.stderr
    assert well["changed"]
    assert "pi: 4/4 installed" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_benchmark_of_each_board_is_printed_and_kept(
    server: Server, pi: Board, tmp_path: Path
) -> None:
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    done = run_cli("deploy", bundle, "pi", "-e", server.ssh, "--name", "measured")
    assert done.returncode == 0, done.stderr
    kept = tmp_path / "tiny.boards/pi.json"
    result = json.loads(kept.read_text())
    assert result["golden_examples"] == 4
    assert str(kept) in done.stdout
    p50 = result["rows"][0]["warm"]["total_us"]["p50"]
    table = next(line for line in done.stdout.splitlines() if re.match(r"pi  ", line))
    assert float(table.split()[1].replace(",", "")) == pytest.approx(p50, abs=0.51)
    compared = run_cli("benchmark", "--compare", kept, kept)
    assert compared.returncode == 0, compared.stderr


def test_the_unit_is_written_and_its_command_serves(first: tuple[Board, Outcome]) -> None:
    outcome = first[1]
    unit = outcome.unit
    assert unit is not None
    assert Path(unit.path).read_text() == unit.text
    assert unit.path in unit.enable
    assert "systemctl enable --now edge-experts-signed.service" in unit.enable
    command = shlex.split(re.findall(r"ExecStart=(.*)", unit.text)[0])
    assert command[-2:] == ["--port", "8123"]
    with subprocess.Popen([*command[:-1], "0"], stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stderr is not None
            told = next(line for line in child.stderr if "http://" in line)
            address = re.findall(r"http://[\d.:]+", told)[0]
            with urllib.request.urlopen(f"{address}/v2/health/ready", timeout=20) as answer:
                assert answer.status == 200
        finally:
            child.send_signal(signal.SIGTERM)


def test_where_a_key_is_trusted_the_board_refuses_what_is_not_signed(
    pi: Board, go: Deploy, tmp_path: Path
) -> None:
    bundle = tiny_bundle(tmp_path / "tiny.bundle", version=2)
    before = (pi.home / ROOT / "bundles/signed/current").readlink()
    outcome = go(bundle, "pi", name="signed")
    assert outcome.error is not None
    assert outcome.error.exit_code == 3
    assert "not signed, and must be" in str(outcome.error)
    assert (pi.home / ROOT / "bundles/signed/current").readlink() == before


def test_what_the_board_refuses_changes_nothing_there(
    pi: Board, go: Deploy, tmp_path: Path
) -> None:
    """A bundle that answers otherwise than it was published with, and one of an older version."""
    old = go(tiny_bundle(tmp_path / "old.bundle", version=2), "pi", name="golden")
    lying = tiny_bundle(tmp_path / "lying.bundle", version=3, seeds=(0, 3), honest=False)
    older = tiny_bundle(tmp_path / "older.bundle", version=1)
    root = pi.home / ROOT / "bundles/golden"
    for refused, why in ((lying, "golden"), (older, "--allow-older")):
        outcome = go(refused, "pi", name="golden")
        assert outcome.error is not None
        assert outcome.error.exit_code == 3
        assert str(outcome.error).startswith("pi: ")
        assert why in str(outcome.error)
        assert outcome.current is None
        assert (root / "current").readlink() == Path("versions", str(old.current))
        assert [path.name for path in (root / "versions").iterdir()] == [old.current]
        assert not (pi.home / ROOT / "staging/golden").exists()
    assert go(older, "pi", name="golden", allow_older=True).changed


def test_a_damaged_bundle_is_refused_before_any_board_is_asked(
    server: Server, tmp_path: Path
) -> None:
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    (bundle / "experts/000.tflite").write_bytes(b"x")
    done = run_cli("deploy", bundle, "nowhere", "-e", server.ssh)
    assert done.returncode == 3
    assert "nowhere" not in done.stderr


def test_an_interrupt_ends_it_and_leaves_no_ssh_behind(server: Server, tmp_path: Path) -> None:
    server.login("silent", "#!/bin/sh\nexec sleep 60\n")
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    started = subprocess.Popen(
        [sys.executable, "-m", "edge_experts", "deploy", bundle, "silent", "-e", server.ssh],
        stderr=subprocess.PIPE,
        # In the background of a script, a shell has its programs ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with started as child:
        deadline = time.monotonic() + 30
        while not (ours := _descendants(child.pid)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert ours
        child.send_signal(signal.SIGINT)
        child.wait(30)
    assert child.returncode == 130
    assert not any(Path(f"/proc/{pid}").exists() for pid in ours)


def _descendants(pid: int) -> list[int]:
    """The ssh processes that a process started, whichever of its threads did."""
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").glob("*/children")
        for child in task.read_text().split()
    ]
    return [child for child in children if Path(f"/proc/{child}/comm").read_text() == "ssh\n"]
