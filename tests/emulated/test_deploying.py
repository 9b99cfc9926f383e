"""`edge-experts deploy` to an emulated board, over a real ssh and rsync, which run on it too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from device_tests.boards.building import built
from device_tests.boards.kinds import board
from tests.conftest import run_cli
from tests.deploying.sshd import Server, require
from tests.tiny import tiny_bundle

_SIZE = 200_000


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server whose logins to "arm" land in the emulated board."""
    require()
    folder = tmp_path_factory.mktemp("emulated")
    server = Server(folder)
    enter = f"{built(board('arm64-bookworm'))}/enter --home {folder}/home"
    server.login("arm", f'#!/bin/sh\nexec {enter} -- /bin/sh -c "$SSH_ORIGINAL_COMMAND"\n')
    return server


def test_a_board_is_deployed_to(arm: Server, tmp_path: Path) -> None:
    """From nothing; then to the environment that is there, with one other expert."""

    def go(bundle: Path) -> dict[str, object]:
        done = run_cli("deploy", bundle, "arm", "-e", arm.ssh, "--json", "--no-benchmark")
        assert done.returncode == 0, done.stderr
        (one,) = json.loads(done.stdout)["boards"]
        return dict(one)

    bundle = tiny_bundle(tmp_path / "one.bundle", padding=_SIZE)
    more = tiny_bundle(tmp_path / "two.bundle", version=2, seeds=(0, 2), padding=_SIZE)
    with arm:
        first = go(bundle)
        assert first["board"] == "Python 3.11 on aarch64, glibc 2.36"
        assert (first["environment"], first["golden_examples"]) == ("built", 4)
        assert first["bundle"] == "/root/.local/share/edge-experts/bundles/tiny"
        second = go(more)
    assert (second["environment"], second["changed"]) == ("kept", True)
    assert _SIZE < int(str(second["bundle_bytes"])) < _SIZE + 64_000
    assert float(str(second["seconds"])) < float(str(first["seconds"])), "there was less to do"
