"""The process of Keras 3 that reads files, `edge_experts/keras3_process.py`, and its use."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from ...keras3_process import UNUSED


class Keras3Reader:
    """Reads files in one process, which takes seconds to start and ends when it is not used."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[str] | None = None

    def read(self, path: Path, out: Path) -> str | None:
        """Write what the process reads in a file to the folder; return the reason if it failed."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._log is not None
        line = ""
        with contextlib.suppress(BrokenPipeError):
            task = {"file": str(path.absolute()), "out": str(out)}
            print(json.dumps(task), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        if line:
            failed: str | None = json.loads(line)["failed"]
            return failed
        if self._process.wait() == UNUSED:  # it ended at this very moment
            return self.read(path, out)
        self._log.seek(0)
        lines = [line for line in self._log.read().splitlines() if line.strip()]
        return lines[-1] if lines else "the process died"

    def _start(self) -> None:
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  the process writes to it
        self._process = subprocess.Popen(
            [sys.executable, "-m", "edge_experts.keras3_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            # Of tf_keras, which this process uses.
            env={k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"},
            encoding="utf-8",
            errors="replace",
        )


READER = Keras3Reader()
