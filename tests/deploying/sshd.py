"""A real sshd on loopback, and boards that are logins to it.

Every board is a key of its own, whose logins run a script: in a home folder and with a PATH that
the test chose, or wherever else it leads.
"""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

SSHD = "/usr/sbin/sshd"

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
"""

_HOST = """\
Host {name}
  HostName {address}
  Port {port}
  User {user}
  IdentityFile {key}
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking accept-new
"""

_LOGIN = """\
#!/bin/sh
{before}
cd {home} && exec env -i HOME={home} PATH={path} {more} /bin/sh -c "$SSH_ORIGINAL_COMMAND"
"""


def require() -> None:
    """Skip where sshd, ssh or rsync is not installed; in CI, which installs them, fail."""
    missing = [name for name in (SSHD, "ssh", "rsync") if shutil.which(name) is None]
    if missing:
        say = f"{', '.join(missing)} not installed: apt-get install openssh-server rsync"
        if os.environ.get("CI") == "true":
            pytest.fail(say)
        pytest.skip(say)


@dataclass(frozen=True)
class Board:
    """One login: `name` is the host for ssh, `home` where it lands."""

    name: str
    home: Path
    programs: Path  # first in its PATH


class Server:
    """An sshd in a folder of its own, for as long as the block lasts."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._config = folder / "config"
        self.port = _free_port()
        self.ssh = f"ssh -F {shlex.quote(str(self._config))}"
        self._config.touch()
        (folder / "authorized_keys").touch(mode=0o600)

    def __enter__(self) -> Server:
        if os.getuid() == 0:  # where root starts it, it leaves its rights behind there
            Path("/run/sshd").mkdir(parents=True, exist_ok=True)
        _key(self._folder / "host_key")
        config = self._folder / "sshd_config"
        config.write_text(_CONFIG.format(port=self.port, folder=self._folder))
        log = self._folder / "log"
        self._child = subprocess.Popen([SSHD, "-D", "-f", str(config), "-E", str(log)])
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert self._child.poll() is None, log.read_text()
            time.sleep(0.05)
        raise AssertionError(log.read_text())

    def __exit__(self, *error: object) -> None:
        self._child.terminate()
        self._child.wait()

    def board(
        self,
        name: str,
        *,
        before: str = "",
        path: str = "/usr/local/bin:/usr/bin:/bin",
        python: str = "",
        home: Path | None = None,
        like: Board | None = None,
    ) -> Board:
        """A new board: a login to this machine with a home folder of its own.

        Args:
            before: shell commands at each login.
            path: where it finds programs, after this test's own Python.
            python: a sitecustomize.py that the board's Python begins with.
            like: take its home folder and its programs.
        """
        home = home or self._folder / f"home-{name}"
        programs = self._folder / f"bin-{name}"
        if like is None:
            for folder in (home, programs):
                folder.mkdir(exist_ok=True)
            version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
            (programs / "python3").symlink_to(Path(sys.base_prefix, "bin", version))
        else:
            home, programs = like.home, like.programs
        if python:
            (programs / "sitecustomize.py").write_text(python)
        more = f"PYTHONPATH={programs}" if python else ""
        everywhere = f"{programs}:{path}".removesuffix(":")
        script = _LOGIN.format(before=before, home=home, path=everywhere, more=more)
        self.login(name, script)
        return Board(name, home, programs)

    def login(self, name: str, script: str, *, authorized: bool = True) -> None:
        """A host `name`, whose logins run a script."""
        login = self._folder / f"login-{name}"
        login.write_text(script)
        login.chmod(0o755)
        key = self._folder / f"key-{name}"
        public = _key(key)
        if authorized:
            with (self._folder / "authorized_keys").open("a") as file:
                file.write(f'command="{login}" {public}')
        self.client(name, key=key)

    def client(
        self,
        name: str,
        *,
        address: str = "127.0.0.1",
        port: int | None = None,
        key: Path | None = None,
        more: str = "",
    ) -> None:
        """A further entry of ~/.ssh/config, as it were."""
        with self._config.open("a") as file:
            file.write(
                _HOST.format(
                    name=name, address=address, port=port or self.port, user=getpass.getuser(),
                    folder=self._folder, key=key or self._folder / "host_key",
                )
            )  # fmt: skip
            file.write(f"  {more}\n" if more else "")

    def relayed(self, name: str, board: Board, most: int | None = None) -> Path:
        """A host that is another way to a board: counts bytes, and breaks after `most` of them.

        Returns the file with the counts, a line for each connection.
        """
        counts = self._folder / f"counts-{name}"
        counts.touch()
        relay = Path(__file__).with_name("relay.py")
        command = f"{sys.executable} {relay} {self.port} {counts} {most or ''}"
        key = self._folder / f"key-{board.name}"
        self.client(name, key=key, more=f"ProxyCommand {command}")
        return counts


def _key(path: Path) -> str:
    """A new key; its public half."""
    keygen = shutil.which("ssh-keygen")
    assert keygen
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
