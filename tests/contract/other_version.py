"""Edge-experts 0.1.0 from its wheel, run beside the code under test."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from .data import WHEEL


class OtherVersion:
    """The wheel of 0.1.0, unpacked and first on the path of every process that it is asked in."""

    def __init__(self, folder: Path):
        self._folder = folder / "0.1.0"
        if not self._folder.exists():
            with zipfile.ZipFile(WHEEL) as archive:
                archive.extractall(self._folder)
        self._cwd = folder

    def __call__(self, *arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run its command line."""
        return self._python(["-m", "edge_experts", *map(str, arguments)], stdin)

    def places(self) -> str:
        """Where its processes find the package, the converters and the metadata, a line each."""
        code = (
            "import edge_experts, edge_experts.converters, importlib.metadata as m; "
            "print(edge_experts.__file__, edge_experts.converters.__file__, "
            "m.distribution('edge-experts').locate_file(''), sep='\\n')"
        )
        return self._python(["-c", code], "").stdout

    @property
    def folder(self) -> Path:
        return self._folder

    def _python(self, arguments: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
        # Not the folder of the checkout, which would come before the path.
        env = {**os.environ, "PYTHONPATH": str(self._folder)}
        return subprocess.run(
            [sys.executable, *arguments], cwd=self._cwd, env=env, input=stdin, timeout=600,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
