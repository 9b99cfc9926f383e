"""Commands and converters without their imports: see server.py."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

from . import client

COMMANDS, DEVICE_COMMANDS = client.COMMANDS, client.DEVICE_COMMANDS
Part = Literal["host", "device"]
_ROOT = Path(__file__).parents[2]


@cache
def warm_python(part: Part = "host") -> str:
    """The path of a program that stands in for `sys.executable` until this process ends.

    Args:
        part: what is imported: TensorFlow and the host's part, or the device's alone.
    """
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(started(part))


@contextlib.contextmanager
def started(part: Part = "host") -> Iterator[str]:
    """Inside, a server runs; gives the path of its client, a program."""
    folder = Path(tempfile.mkdtemp(prefix="warm"))
    program = folder / "python"
    program.write_text(f"#!{sys.executable} -IS\n{Path(client.__file__).read_text()}")
    program.chmod(0o755)
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.warm.server", str(folder), part],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=_ROOT,
        )
    try:
        while not (folder / "socket").exists():
            if server.poll() is not None:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.05)
        yield str(program)
    finally:
        server.communicate()
        shutil.rmtree(folder)
