"""Connection to one board by the system's ssh and rsync, with ~/.ssh/config and its keys."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from ..errors import BoardError, MachineError, RemoteError, UnreachableError, UsageError
from . import on_board

# No interactive prompts, and a timeout of a minute if a board is silent.
_OPTIONS = ("BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=15", "ServerAliveCountMax=4")
_LOST = 255  # exit code of ssh for an error of its own
_RSYNC_FILES = 11
_RSYNC_LOST = {10, 12, 20, 30, 35, _LOST}
_TELL = 3.0  # seconds
_CAUSES = (  # messages of ssh, and remedies
    ("Could not resolve hostname", "check the name, or give it an entry in ~/.ssh/config"),
    ("Host key verification failed", "see that it is your board, and accept its key: ssh {host}"),
    ("Permission denied (", "let your key in: ssh-copy-id {host}"),
    ("Too many authentication failures", "name the key for this host in ~/.ssh/config"),
    ("Connection refused", "switch ssh on there (Raspberry Pi: sudo raspi-config), or check -p"),
    ("No route to host", "is it on, and in this network?"),
    ("timed out", "is it on, and in this network?"),
)
_GREETING = "Warning: Permanently added"  # printed by ssh when it accepts a new host key
_SENT = re.compile(r"Total bytes (?:sent|received):\s*([\d,.]+)")
_TO_SEND = re.compile(r"Total transferred file size:\s*([\d,.]+)")

Told = Callable[[str], None]


class Link:
    """Runs commands on one board and sends files to it.

    Args:
        host: a name of ~/.ssh/config, or user@host.
        ssh: the command with its options, as for rsync's -e.
    """

    def __init__(self, host: str, ssh: str = "ssh"):
        if not host or host.startswith("-") or "://" in host or re.search(r"[\s/]", host):
            raise UsageError(f"{host!r}: must be a host as ssh takes it, such as pi@raspberrypi")
        try:
            command = shlex.split(ssh)
        except ValueError as error:
            raise UsageError(f"--ssh {ssh!r}: {error}") from None
        for program, package in ((command[0] if command else "ssh", "openssh-client"),
                                 ("rsync", "rsync")):  # fmt: skip
            if shutil.which(program) is None:
                raise MachineError(
                    f"{program} is not installed here: sudo apt-get install {package}"
                )
        self.host = host
        self._ssh = [*command, *(word for option in _OPTIONS for word in ("-o", option))]
        self._child: subprocess.Popen[bytes] | None = None
        self._cancelled = False

    def run(self, command: str, *, stdin: bytes = b"", told: Told | None = None) -> str:
        """Run a shell command on the board, and return its output.

        Args:
            told: is called with each line of its stderr.

        Raises:
            UnreachableError: ssh failed; RemoteError: the command did.
        """
        argv = [*self._ssh, "--", self.host, f"sh -c {shlex.quote(command)}"]
        code, out, err = self._watch(argv, stdin, stderr=told or _nothing)
        if code == _LOST:
            raise self._unreachable(err)
        if code:
            message = _message(err or out) or f"{command} ended with {code}"
            raise RemoteError(f"{self.host}: {message}", code if code in range(1, 7) else 6)
        return out

    def python(self, python: str, command: str, *arguments: str) -> dict[str, Any]:
        """Run a command of on_board.py on the board, and return its JSON.

        Raises:
            BoardError: the board has no such Python, or it is too old.
        """
        least = "import sys; sys.exit(sys.version_info < (3, 11) and 'Python %d.%d' % "
        least += "sys.version_info[:2])"
        quoted = " ".join(map(shlex.quote, (command, *arguments)))
        script = f"{python} -c {shlex.quote(least)} && exec {python} - {quoted}"
        try:
            out = self.run(script, stdin=Path(on_board.__file__).read_bytes())
        except RemoteError as error:
            said = str(error)
            if "not found" in said or ("No such file" in said and python in said):
                raise BoardError(
                    f"{self.host}: has no {python}: sudo apt-get install python3, or name another "
                    "one with --python"
                ) from None
            if found := re.search(r"Python \d+\.\d+$", said):
                raise BoardError(
                    f"{self.host}: has {found[0]}, and 3.11 is the oldest that will do: bring its "
                    "system up to date, or name another one with --python"
                ) from None
            raise
        for line in reversed(out.splitlines()):
            if line.startswith(on_board.ANSWER):
                answer: dict[str, Any] = json.loads(line.removeprefix(on_board.ANSWER))
                return answer
        raise BoardError(
            f"{self.host}: its login answers {out.strip()[-200:]!r}: a shell must be there for "
            f"`ssh {self.host} COMMAND`"
        )

    def send(
        self,
        folder: Path,
        target: str,
        *,
        files: Sequence[str] | None = None,
        same: Sequence[str] = (),
        told: Told | None = None,
        dry_run: bool = False,
    ) -> int:
        """Make a folder on the board equal to a local one; returns the bytes that were transferred.

        Files are compared by their content.

        Args:
            target: an absolute path, created if missing.
            files: relative paths, if not all; other files on the board stay.
            same: folders on the board that may have some of the files; those are hard-linked.
            told: is called with the progress.
            dry_run: send nothing; returns the size of the files that would be sent.

        Raises:
            UnreachableError: ssh failed.
            BoardError: the disk is full.
            MachineError: any other failure.
        """
        options = ["-r", "-c", "-s", "-z", "--stats", "--info=progress2", "--no-inc-recursive"]
        # By default, rsync 3.2.3 and later sends the board's messages through ssh's stderr, where
        # the last ones race with the exit code that ends ssh.
        options += ["--stderr=client"]
        options += [f"--link-dest={other}" for other in same]
        if dry_run:
            options += ["--dry-run"]
        else:
            options += [f"--rsync-path=mkdir -p {shlex.quote(target)} && rsync"]
        options += ["--delete"] if files is None else ["--files-from=-"]
        host = f"[{self.host}]" if ":" in self.host else self.host
        argv = ["rsync", *options, "-e", shlex.join(self._ssh), f"{folder}/", f"{host}:{target}/"]
        stdin = "".join(f"{name}\n" for name in files or ()).encode()
        code, out, err = self._watch(argv, stdin, stdout=_percents(told or _nothing))
        if code:
            raise self._refused(code, err, target)
        found = (_TO_SEND if dry_run else _SENT).findall(out)
        return sum(int(re.sub(r"\D", "", number)) for number in found)

    def cancel(self) -> None:
        """End the running command, from another thread; no further command can start."""
        self._cancelled = True
        if (child := self._child) is not None:
            child.terminate()

    def _watch(
        self,
        argv: list[str],
        stdin: bytes,
        *,
        stdout: Told | None = None,
        stderr: Told | None = None,
    ) -> tuple[int, str, str]:
        """Run a program; returns its exit code and output. One stream is passed on line by line."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as other:
            given.write(stdin)
            given.seek(0)
            out, err = (subprocess.PIPE, other) if stdout else (other, subprocess.PIPE)
            env = {**os.environ, "LC_ALL": "C.UTF-8"}  # untranslated messages, for `_CAUSES`
            if self._cancelled:
                raise UnreachableError(f"{self.host}: cancelled")
            child = subprocess.Popen(argv, stdin=given, stdout=out, stderr=err, env=env)
            self._child = child
            if self._cancelled:  # cancelled in the meantime
                child.terminate()
            pipe = child.stdout if stdout else child.stderr
            assert pipe is not None
            with pipe:
                said = _lines(pipe, stdout or stderr or _nothing)
            code = child.wait()
            self._child = None
            other.seek(0)
            rest = other.read().decode(errors="replace")
        return (code, said, rest) if stdout else (code, rest, said)

    def _refused(self, code: int, err: str, target: str) -> MachineError:
        """Error for rsync's exit code, which is not 0, and its messages."""
        full = any(words in err for words in ("No space left", "Disk quota"))
        if full or (code == _RSYNC_FILES and not _message(err)):
            cause = "no space is left" if full else "rsync cannot write; as a rule no space is left"
            remedy = f"make room (`ssh {self.host} df -h`), or name another disk with --root"
            return BoardError(f"{self.host}: {target}: {cause}; {remedy}")
        if "is your shell clean" in err:
            return BoardError(
                f"{self.host}: its login prints something, which rsync cannot tell from files: let "
                f"~/.bashrc there say nothing; `ssh {self.host} true` shows what it is"
            )
        if "unknown option" in err:
            if "on remote machine" not in err:
                return MachineError(f"rsync here is too old, 3.2.3 will do: {_message(err)}")
            return BoardError(
                f"{self.host}: its rsync is too old: bring its system up to date; 3.2.3 will do"
            )
        if code in _RSYNC_LOST:
            return self._unreachable(err)
        return MachineError(f"{self.host}: rsync ended with {code}: {_message(err)}")

    def _unreachable(self, err: str) -> UnreachableError:
        for cause, remedy in _CAUSES:
            if cause in err:
                said = next(line for line in err.splitlines() if cause in line)
                return UnreachableError(
                    f"{self.host}: {said.strip()}: {remedy.format(host=self.host)}"
                )
        said = _message(err) or "ssh ended without a message"
        return UnreachableError(
            f"{self.host}: the connection broke: {said}; the same command goes on from there"
        )


def _lines(pipe: IO[bytes], told: Told) -> str:
    """Read a stream, and pass on each line at once; rsync ends progress lines with a return."""
    said, rest = b"", b""
    while chunk := os.read(pipe.fileno(), 65536):
        said += chunk
        *lines, rest = re.split(rb"[\r\n]", rest + chunk)
        for line in lines:
            if line.strip():
                told(line.decode(errors="replace").strip())
    return said.decode(errors="replace")


def _percents(told: Told) -> Told:
    """Pass on rsync's progress every few seconds."""
    last = time.monotonic()

    def tell(line: str) -> None:
        nonlocal last
        found = re.search(r"\b(\d+)%", line)
        if found and time.monotonic() > last + _TELL:
            last = time.monotonic()
            told(f"{found[1]} % sent")

    return tell


def _message(text: str) -> str:
    """Last message of a program, without lines about itself."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(_GREETING)]
    ours = [line for line in lines if line.startswith("edge-experts: ")]
    if ours:
        at = lines.index(ours[-1])
        return " ".join([ours[-1].removeprefix("edge-experts: "), *lines[at + 1 :]])
    return " ".join(lines[-3:])


def _nothing(_: str) -> None:
    pass
