"""Runs Python modules in forks of one process that has imported already what they need.

python -m tests.warm.server FOLDER host|device: answers at the socket FOLDER/socket until stdin
ends. A command is real: its own process, environment, folder and files; the import, of some
seconds, is shared. That of the device has neither TensorFlow nor an interpreter.
`client.py` is the program that asks it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

from . import client

_PACKAGES = {
    "host": ("edge_experts.training", "edge_experts.converters", "edge_experts.cli"),
    "device": (
        *("edge_experts.cli.device", "edge_experts.datasets", "edge_experts.features"),
        *("edge_experts.format", "edge_experts.runtime", "edge_experts.updates"),
    ),
}
_LENGTH = struct.Struct("!I")


class _Forks:
    """The running commands, each with the connection of the client that waits for it."""

    def __init__(self, listening: socket.socket):
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ)
        self._selector.register(0, selectors.EVENT_READ)
        self._woken, waking = os.pipe()
        os.set_blocking(waking, False)
        signal.set_wakeup_fd(waking)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._listening = listening
        self._running: dict[int, socket.socket] = {}

    def next_command(self) -> dict[str, Any] | None:
        """Serve until a command is to run: returns in its fork; None: the parent has ended."""
        while True:
            for key, _ in self._selector.select():
                if key.fd == 0:
                    return None
                if key.fd == self._woken:
                    os.read(self._woken, 4096)
                    self._reap()
                elif key.fileobj is self._listening:
                    request = self._accept()
                    if request is not None:
                        return request
                else:
                    self._signal(key.fileobj)

    def _accept(self) -> dict[str, Any] | None:
        connection, _ = self._listening.accept()
        with contextlib.suppress(OSError, ValueError):
            head, descriptors, _, _ = socket.recv_fds(connection, _LENGTH.size, 3)
            content = b""
            while len(content) < _LENGTH.unpack(head)[0]:
                content += connection.recv(1 << 16)
            pid = os.fork()
            if pid == 0:
                self._leave(descriptors)
                connection.close()
                request: dict[str, Any] = json.loads(content)
                return request
            for descriptor in descriptors:
                os.close(descriptor)
            self._running[pid] = connection
            self._selector.register(connection, selectors.EVENT_READ)
        return None

    def _leave(self, descriptors: list[int]) -> None:
        """In a fork: its own standard files and signals, and nothing of the server's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        self._selector.close()
        self._listening.close()
        for waiting in self._running.values():
            waiting.close()

    def _signal(self, waiting: Any) -> None:
        """Hand a signal on; a client that is gone was killed, and so is its command."""
        pid = next(pid for pid, connection in self._running.items() if connection is waiting)
        number = waiting.recv(1)
        os.kill(pid, number[0] if number else signal.SIGKILL)
        if not number:
            self._selector.unregister(waiting)

    def _reap(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            waiting = self._running.pop(pid)
            with contextlib.suppress(KeyError):
                self._selector.unregister(waiting)
            with contextlib.suppress(OSError):
                waiting.sendall(struct.pack("!i", os.waitstatus_to_exitcode(status)))
            waiting.close()


def _become(request: dict[str, Any]) -> None:
    """Run the module as `python -m` would have."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    os.umask(request["umask"])
    for number in request["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    # The server's own knows that it is a file, where one can seek.
    sys.stdout = open(1, "w", encoding="utf-8", errors=sys.stdout.errors, closefd=False)  # noqa: SIM115
    tempfile.tempdir = None
    sys.executable = request["executable"]
    sys.path[0] = request["folder"]
    module, *sys.argv[1:] = request["words"]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def main() -> None:
    """Import, listen, and run commands."""
    before, part = client.read_at_start(), sys.argv[2]
    for name in _PACKAGES[part]:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith(("worker", "process", "__main__")):
                importlib.import_module(module.name)
    if part == "host":
        import tensorflow.lite.python.lite  # isort: skip  # noqa: F401
    else:
        assert not {"tensorflow", "tflite_runtime", "ai_edge_litert"} & set(sys.modules)
    gc.freeze()  # what forks share stays shared
    # Importing sets variables too; a process that has imported starts others with those.
    settings = {
        "python": sys.executable,
        "environments": [before, client.read_at_start()],
        "modules": client.MODULES if part == "host" else (),
        "commands": client.COMMANDS if part == "host" else client.DEVICE_COMMANDS,
    }
    Path(sys.argv[1], "settings.json").write_text(json.dumps(settings))
    address = Path(sys.argv[1], "socket")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"{address}.new")
    listening.listen()
    Path(f"{address}.new").rename(address)
    request = _Forks(listening).next_command()
    if request is not None:
        _become(request)


if __name__ == "__main__":
    main()
