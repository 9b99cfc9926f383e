"""Boards that cannot be reached, lack something, or are lost: a clear error, nothing half done."""

from __future__ import annotations

import fcntl
import os
import random
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_experts.deploying import Outcome
from edge_experts.deploying.ssh import Link
from edge_experts.errors import (
    BoardError,
    MachineError,
    NetworkError,
    RemoteError,
    UnreachableError,
    UsageError,
)
from tests.tiny import tiny_bundle

from .conftest import ROOT, Deploy, tree
from .sshd import Board, Server


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bad") / "tiny.bundle")


def _refused(outcome: Outcome, kind: type[Exception], *words: str) -> None:
    """The error is of its class, has its exit code, and names the board and what helps."""
    assert isinstance(outcome.error, kind), repr(outcome.error)
    assert outcome.error.exit_code == 6
    for word in (outcome.host, *words):
        assert word in str(outcome.error)
    assert outcome.current is None


def test_a_host_that_nobody_knows(server: Server, go: Deploy, bundle: Path) -> None:
    server.client("nowhere", address="no-such-board.invalid")
    _refused(go(bundle, "nowhere"), UnreachableError, "resolve hostname", "~/.ssh/config")


def test_a_key_that_is_not_let_in(server: Server, go: Deploy, bundle: Path) -> None:
    server.login("stranger", "#!/bin/sh\n", authorized=False)
    _refused(go(bundle, "stranger"), UnreachableError, "Permission denied", "ssh-copy-id stranger")


def test_a_host_key_that_is_another_one(
    server: Server, pi: Board, go: Deploy, bundle: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{server.port} {other.with_suffix('.pub').read_text()}")
    outcome = go(bundle, "pi", ssh=f"{server.ssh} -o UserKnownHostsFile={known}")
    _refused(outcome, UnreachableError, "Host key verification failed", "ssh pi")


def test_a_login_that_is_no_shell(server: Server, go: Deploy, bundle: Path) -> None:
    server.login("menu", "#!/bin/sh\necho Welcome\n")
    _refused(go(bundle, "menu"), BoardError, "Welcome", "ssh menu COMMAND")


def test_a_login_that_prints_something(server: Server, pi: Board, go: Deploy, bundle: Path) -> None:
    """Answers are found among it; rsync is confused by it, and that is said."""
    server.board("talks", before="echo Welcome", like=pi)
    _refused(go(bundle, "talks", name="talks"), BoardError, "prints something", "~/.bashrc")


def _without(server: Server, name: str, *programs: str) -> Board:
    """A board that has only these programs, and Python."""
    board = server.board(name, path="")
    for program in programs:
        (board.programs / program).symlink_to(f"/usr/bin/{program}")
    return board


def test_no_rsync(server: Server, go: Deploy, bundle: Path) -> None:
    board = _without(server, "no-rsync", "sh")
    _refused(go(bundle, "no-rsync"), BoardError, "no rsync", "apt-get install rsync")
    assert not list(board.home.iterdir())


def test_no_python(server: Server, go: Deploy, bundle: Path) -> None:
    board = _without(server, "no-python", "sh", "rsync")
    (board.programs / "python3").unlink()
    _refused(go(bundle, "no-python"), BoardError, "has no python3", "apt-get install python3")


def test_no_venv(server: Server, go: Deploy, bundle: Path) -> None:
    """As Debian's python3-minimal is."""
    server.board(
        "no-venv",
        python="import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'venv' else find(name, *rest)\n",
    )
    _refused(go(bundle, "no-venv"), BoardError, "no module venv", "apt-get install python3-venv")


def test_too_old_a_python(server: Server, go: Deploy, bundle: Path) -> None:
    server.board("old", python="import sys\nsys.version_info = (3, 9, 2)\n")
    _refused(go(bundle, "old"), BoardError, "Python 3.9", "3.11", "--python")


def test_an_architecture_without_an_interpreter(server: Server, go: Deploy, bundle: Path) -> None:
    server.board("i686", before="alias exec='exec setarch i686'")
    _refused(go(bundle, "i686"), BoardError, "i686", "aarch64, armv7l, x86_64")


def _private(mounts: str) -> str:
    """What a login begins with, to see a file system of its own."""
    again = '[ "$SEEN" ] || exec env SEEN=1 unshare --user --map-root-user --mount sh "$0"'
    return f"{again}\nset -e\n{mounts}"


def test_a_home_that_cannot_be_written_to(
    server: Server, go: Deploy, bundle: Path, tmp_path: Path
) -> None:
    mounts = f"mount --bind {tmp_path} {tmp_path}; mount -o remount,bind,ro {tmp_path}"
    server.board("read-only", before=_private(mounts), home=tmp_path)
    _refused(go(bundle, "read-only"), BoardError, "cannot write", str(tmp_path), "--root")


def test_a_disk_that_is_too_small(
    server: Server, go: Deploy, bundle: Path, everything: dict[str, object], tmp_path: Path
) -> None:
    before = _private(f"mount -t tmpfs -o size=9m none {tmp_path}")
    server.board("small", before=before, home=tmp_path)
    outcome = go(bundle, "small", **everything)
    _refused(outcome, BoardError, "bytes are needed", "--root")


def test_a_disk_that_fills_up_meanwhile(
    server: Server, pi: Board, go: Deploy, tmp_path: Path
) -> None:
    """Somebody else writes: when rsync comes, less is free than there was."""
    staging = pi.home / ROOT / "staging"
    mounts = f"mount -t tmpfs -o size=1m none {staging}"
    before = _private(f'case "$SSH_ORIGINAL_COMMAND" in *rsync*) {mounts};; esac')
    server.board("fills", before=before, like=pi)
    large = tiny_bundle(tmp_path / "large.bundle", padding=1_000_000)
    _refused(go(large, "fills", name="fills"), BoardError, "no space is left", str(staging))
    assert not (pi.home / ROOT / "bundles/fills").exists()


def _sent_to_a_full_disk(server: Server, name: str, tmp_path: Path, before: str = "") -> str:
    """What is said of a megabyte that goes to a board, in folder `there`, with half of one."""
    there, here = tmp_path / "there", tmp_path / "here"
    for folder in (there, here):
        folder.mkdir()
    (here / "large").write_bytes(random.Random(0).randbytes(1_000_000))
    server.board(name, before=_private(f"mount -t tmpfs -o size=512k none {there}\n{before}"))
    with pytest.raises(BoardError) as refused:
        Link(name, server.ssh).send(here, str(there))
    assert refused.value.exit_code == 6
    assert str(there) in str(refused.value)
    assert "--root" in str(refused.value)
    return str(refused.value)


_LATE = "(exec < {pipe}; sleep 1; exec cat >&2) & exec 2> {pipe}"  # a second after stdout


def test_a_full_disk_is_told_though_stderr_comes_late(server: Server, tmp_path: Path) -> None:
    """As on a busy connection: rsync ends at the board's exit code, and ssh with it."""
    os.mkfifo(pipe := tmp_path / "pipe")
    said = _sent_to_a_full_disk(server, "late", tmp_path, _LATE.format(pipe=pipe))
    assert "no space is left; make room" in said


@pytest.fixture
def rsync_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Further options for this machine's rsync."""

    def wrap(options: str) -> None:
        (script := tmp_path / "rsync").write_text(f'#!/bin/sh\nexec {real} "$@" {options}\n')
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    real = shutil.which("rsync")
    return wrap


def test_a_full_disk_of_which_nothing_is_said(
    server: Server, rsync_with: Callable[[str], None], tmp_path: Path
) -> None:
    rsync_with("--stderr=errors")
    os.mkfifo(pipe := tmp_path / "pipe")
    said = _sent_to_a_full_disk(server, "mute", tmp_path, _LATE.format(pipe=pipe))
    assert "as a rule no space is left; make room (`ssh mute df -h`)" in said


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("-M--from-the-future", "^old-rsync: its rsync is too old.* 3.2.3 will do"),
        ("--from-the-future", "^rsync here is too old, 3.2.3 will do: .*--from-the-future"),
    ],
)
def test_an_rsync_that_lacks_an_option(
    server: Server, rsync_with: Callable[[str], None], tmp_path: Path, option: str, message: str
) -> None:
    name = "old-rsync" if option.startswith("-M") else "new-rsync"
    server.board(name)
    rsync_with(option)
    with pytest.raises(MachineError, match=message):
        Link(name, server.ssh).send(tmp_path, str(tmp_path / "there"))


def test_a_folder_that_holds_something_else(server: Server, go: Deploy, bundle: Path) -> None:
    board = server.board("full")
    (board.home / "photographs").mkdir()
    outcome = go(bundle, "full", root="~")
    _refused(outcome, BoardError, "photographs", "--root")
    assert [path.name for path in board.home.iterdir()] == ["photographs"]


def test_wheels_that_are_nowhere(server: Server, go: Deploy, bundle: Path, tmp_path: Path) -> None:
    board = server.board("offline")
    outcome = go(bundle, "offline", wheels=tmp_path)
    _refused(outcome, NetworkError, "--wheels")
    assert not list(board.home.iterdir())


def test_an_environment_that_cannot_be_finished_leaves_the_old_one(
    server: Server, pi: Board, go: Deploy, bundle: Path
) -> None:
    """Its disk fills up while pip is at work; the next deployment is none the worse."""
    environments = pi.home / ROOT / "environments"
    was = (pi.home / ROOT / "environment").readlink()
    before = tree(environments)
    # Another path of Python is another environment.
    mounts = f"mount -t tmpfs -o size=9m none {environments}"
    before_login = _private(f'case "$SSH_ORIGINAL_COMMAND" in *build*) {mounts};; esac')
    server.board("fills-too", before=before_login, home=pi.home)
    outcome = go(bundle, "fills-too", name="unfinished")
    _refused(outcome, RemoteError, "No space left")
    assert (pi.home / ROOT / "environment").readlink() == was
    assert tree(environments) == before


def test_another_deployment_is_at_work(server: Server, pi: Board, go: Deploy, bundle: Path) -> None:
    server.board("twin", home=pi.home)  # another path of Python, hence another environment
    with (pi.home / ROOT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _refused(go(bundle, "twin", name="twin"), RemoteError, "another deploy is at work")


def test_a_connection_that_is_lost(server: Server, pi: Board, go: Deploy, tmp_path: Path) -> None:
    """While files are on their way: the same command goes on later."""
    name = "lost"
    old = tiny_bundle(tmp_path / "old.bundle")
    current = go(old, "pi", name=name).current
    server.relayed(name, pi, 700_000)
    large = tiny_bundle(tmp_path / "large.bundle", version=2, seeds=(3, 4), padding=1_000_000)
    _refused(go(large, name, name=name), UnreachableError, "connection")
    root = pi.home / ROOT / "bundles" / name
    assert (root / "current").readlink() == Path("versions", str(current))
    outcome = go(large, "pi", name=name)
    assert outcome.error is None
    assert outcome.previous == current


def test_a_connection_that_is_lost_with_the_wheels(
    server: Server, pi: Board, go: Deploy, bundle: Path
) -> None:
    board = server.board("new")
    server.relayed("new-lost", board, 5_000_000)
    outcome = go(bundle, "new-lost", wheels=pi.home / ROOT / "wheels")
    _refused(outcome, UnreachableError, "the same command goes on from there")
    assert not (board.home / ROOT / "environment").exists()
    assert not (board.home / ROOT / "bundles").exists()


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "a b", "ssh://pi", "", "pi:/home"])
def test_hosts_that_are_none(go: Deploy, bundle: Path, host: str) -> None:
    with pytest.raises(UsageError, match=re.escape(repr(host))):
        go(bundle, host)


def test_an_ssh_that_is_not_there(go: Deploy, bundle: Path, server: Server) -> None:
    with pytest.raises(Exception, match="no-such-ssh is not installed"):
        go(bundle, "pi", ssh="no-such-ssh")
    with pytest.raises(UsageError, match="No closing quotation"):
        go(bundle, "pi", ssh="ssh '")
    with pytest.raises(UsageError, match="--name"):
        go(bundle, "pi", name="../x")
    assert shlex.split(server.ssh)[0] == "ssh"
