"""Stands in for the interpreter: `-m MODULE ...` runs in a fork of server.py, the rest as always.

`start` writes it to a folder as a program, with the two constants below filled in.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
from pathlib import Path

PYTHON = ""  # the interpreter that it stands in for
STARTED_WITH: dict[str, str] = {}  # variables that an interpreter or TensorFlow reads as it starts

# Modules that import TensorFlow, and commands of `edge_experts` that do.
_MODULES = (
    "edge_experts.converters.process.worker",
    "edge_experts.converters.compression.worker",
)
COMMANDS = (
    *("adopt", "advise", "compare", "convert", "export-c", "export-onnx", "extend"),
    *("quickstart", "train"),
)
_HERE = Path(__file__).absolute()
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def is_read_at_start(name: str) -> bool:
    """Whether an interpreter or TensorFlow reads the variable only as it starts."""
    return name.startswith(("PYTHON", "TF_", "OMP_", "KERAS_")) or name in (
        "HOME",
        "LANG",
        "LC_ALL",
    )


def _is_warm(words: list[str]) -> bool:
    if words[:1] != ["-m"] or len(words) < 3:
        return False
    if words[1] not in _MODULES and (words[1] != "edge_experts" or words[2] not in COMMANDS):
        return False
    return {name: os.environ[name] for name in os.environ if is_read_at_start(name)} == STARTED_WITH


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
    if not _is_warm(words):
        os.execv(PYTHON, [PYTHON, *words])
    code = _ask(words)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()
