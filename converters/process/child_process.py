"""Child processes for code that may crash; a crash becomes an error that names the network."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from edge_experts.errors import EdgeExpertsError
from edge_experts.runtime.interpreter import CHOICE


def run_module(
    module: str,
    folder: Path,
    on_line: Callable[[str], None],
    failure: Callable[[str, str], EdgeExpertsError],
    *,
    patience: float = 600,
    interpreter: str | None = None,
) -> None:
    """Run `python -m module folder`, and forward each line that it prints.

    Args:
        failure: creates the error from the last line and the reason of the end.
        patience: seconds without a line after which the process is ended.
        interpreter: the interpreter package that it uses; None: its default.
    """
    last, watch = "start", threading.Timer(patience, lambda: None)
    environment = environment_of_child(folder)
    if interpreter is not None:
        environment[CHOICE] = interpreter
    with tempfile.TemporaryFile("w+", encoding="utf-8", dir=folder) as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
            errors="replace",
            env=environment,
        )
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        def wait_again() -> threading.Timer:
            watch.cancel()
            again = threading.Timer(patience, give_up)
            again.daemon = True
            again.start()
            return again

        try:
            assert process.stdout is not None
            watch = wait_again()
            for line in process.stdout:
                watch = wait_again()
                last = line.rstrip("\n")
                on_line(last)
            code = process.wait()
        finally:
            watch.cancel()
            process.kill()
            process.wait()
        if code:
            log.seek(0)
            reason = f"it was silent for {patience:,.0f} seconds, and was ended"
            raise failure(last, reason if late.is_set() else reason_of_end(code, log.read()))


def environment_of_child(folder: Path) -> dict[str, str]:
    """Copy this process's environment, with temporary files in a folder that will be removed.

    TensorFlow writes a file for each traced function and leaves it if its process is killed.
    """
    return {**os.environ, "TMPDIR": str(folder)}


def reason_of_end(code: int, log: str) -> str:
    """Describe why a process ended, from its exit code and its stderr."""
    if code < 0:
        return f"the process died of {signal.Signals(-code).name}"
    lines = [line for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {code}"
