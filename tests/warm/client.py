"""Stands in for the interpreter: `-m MODULE ...` runs in a fork of server.py, the rest as always.

A program in a folder with settings.json and the server's socket; see `tests.warm.started`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

# Modules that import TensorFlow, and commands of `edge_experts` that do; and those that do not.
MODULES = (
    "edge_experts.converters.checkpoints.template_process",
    "edge_experts.converters.process.worker",
    "edge_experts.converters.compression.compression_worker",
)
COMMANDS = (
    *("adopt", "advise", "compare", "convert", "export-c", "export-onnx", "extend"),
    *("quickstart", "train"),
)
# Not those that measure this machine or the process, nor those that wait for signals.
DEVICE_COMMANDS = (
    *("evaluate", "inspect", "install", "keygen", "monitor", "pack", "rollback", "run", "sign"),
    *("unpack", "verify"),
)
_HERE = Path(__file__).absolute()
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def read_at_start() -> dict[str, str]:
    """Variables that an interpreter or TensorFlow reads only as it starts."""
    beginnings, names = ("PYTHON", "TF_", "OMP_", "KERAS_"), ("HOME", "LANG", "LC_ALL")
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(beginnings) or name in names
    }


def _is_warm(words: list[str], settings: dict[str, Any]) -> bool:
    if words[:1] != ["-m"] or len(words) < 3:
        return False
    modules, commands = settings["modules"], settings["commands"]
    if words[1] not in modules and (words[1] != "edge_experts" or words[2] not in commands):
        return False
    return read_at_start() in settings["environments"]


def _ask(words: list[str]) -> int:
    """Run the module in a fork; its exit code, negative for a signal."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(str(_HERE.with_name("socket")))
        umask = os.umask(0)
        os.umask(umask)
        ignored = [one for one in _SIGNALS if signal.getsignal(one) is signal.SIG_IGN]
        request = {
            "words": words[1:],
            "folder": str(Path.cwd()),
            "environment": dict(os.environ),
            "umask": umask,
            "ignored": ignored,
            "executable": str(_HERE),
        }
        content = json.dumps(request).encode()
        socket.send_fds(server, [struct.pack("!I", len(content))], [0, 1, 2])
        server.sendall(content)
        for number in _SIGNALS:
            if number not in ignored:
                signal.signal(number, lambda one, frame: server.sendall(bytes([one])))
        answer = b""
        while len(answer) < 4:
            got = server.recv(4)
            if not got:
                return 1
            answer += got
        code: int = struct.unpack("!i", answer)[0]
        return code


def main() -> None:
    """Run what the interpreter was asked to run."""
    words = sys.argv[1:]
    settings = json.loads(_HERE.with_name("settings.json").read_text())
    if not _is_warm(words, settings):
        os.execv(settings["python"], [settings["python"], *words])
    code = _ask(words)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()
