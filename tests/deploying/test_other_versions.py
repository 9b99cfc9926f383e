"""Boards between two versions: a workstation with 0.1.0, and one with the code under test."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import run_cli
from tests.contract import answers
from tests.contract.data import BUNDLES, DATA, is_recorded_interpreter, snapshot
from tests.contract.other_version import OtherVersion
from tests.contract.shapes import differences, shape

from .conftest import ROOT
from .sshd import Board, Server

Host = Callable[..., subprocess.CompletedProcess[str]]
_NAME = "contract"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> OtherVersion:
    return OtherVersion(tmp_path_factory.mktemp("workstation"))


@pytest.fixture(scope="module")
def update(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 4, as a folder."""
    folder = tmp_path_factory.mktemp("update") / "next.bundle"
    done = run_cli("unpack", DATA / "next.zip", "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


def _deploy(host: Host, server: Server, bundle: Path, board: str, *options: str) -> Any:
    given = ("--ssh", server.ssh, "--name", _NAME, "--json", *options)
    done = host("deploy", bundle, board, *given)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _check(board: Board, version: int) -> None:
    """Assert that the board answers as that version did with 0.1.0."""
    inputs, wanted = answers.recorded(f"version_{version}")
    lines = "".join(f"{line}\n" for line in inputs[:200])
    done = _there(board, "run", str(_bundles(board)), "--json", stdin=lines)
    told = [json.loads(line) for line in done.splitlines()]
    same = np.array([one["label"] for one in told]) == wanted.texts[:200]
    assert np.mean(same) >= 0.98, "other processors round some scores by a step of int8"
    apart = np.abs([one["score"] for one in told] - wanted.scores[:200].max(axis=1))
    assert np.mean(apart <= (2e-6 if is_recorded_interpreter() and version == 4 else 0.05)) >= 0.98


def _bundles(board: Board) -> Path:
    return board.home / ROOT / "bundles" / _NAME


def _there(board: Board, *arguments: str, stdin: str = "") -> str:
    """Run the deployed edge-experts as somebody on the board would."""
    program = board.home / ROOT / "environment/bin/edge-experts"
    done = subprocess.run(
        [program, *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("order", ["0.1.0 first", "0.1.0 second"])
def test_either_version_updates_what_the_other_deployed(
    server: Server, old: OtherVersion, update: Path, order: str
) -> None:
    hosts: list[Host] = [old, run_cli] if order == "0.1.0 first" else [run_cli, old]
    name = order.replace(".", "-").replace(" ", "-")
    board = server.board(name)
    first = _deploy(hosts[0], server, BUNDLES / "table.bundle", name, "--no-benchmark")
    assert first["boards"][0]["environment"] == "built"
    _check(board, 1)
    second = _deploy(hosts[1], server, update, name, "--no-benchmark")
    assert second["boards"][0]["changed"]
    assert second["boards"][0]["previous"] == first["boards"][0]["current"]
    _check(board, 4)
    back = json.loads(_there(board, "rollback", str(_bundles(board)), "--json"))
    assert back["current"] == first["boards"][0]["current"]
    _check(board, 1)
    # The first workstation finds its version current, and what it built before.
    third = _deploy(hosts[0], server, BUNDLES / "table.bundle", name, "--no-benchmark")
    assert not third["boards"][0]["changed"]
    _check(board, 1)


def test_the_workstation_of_0_1_0_runs_from_its_wheel(old: OtherVersion) -> None:
    lines = old.places().splitlines()
    assert len(lines) == 3
    assert all(Path(line).is_relative_to(old.folder) for line in lines)


def test_deploy_prints_the_keys_of_0_1_0(server: Server, tmp_path: Path) -> None:
    server.board("measured")
    # Results are kept beside the bundle.
    bundle = shutil.copytree(BUNDLES / "table.bundle", tmp_path / "table.bundle")
    told = _deploy(run_cli, server, bundle, "measured")
    assert differences(snapshot("deploy_shape"), shape(told)) == []
