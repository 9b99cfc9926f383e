"""Programs of examples/, run as their READMEs show, in a copy of the folder."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = tuple(sorted(path.parent.name for path in EXAMPLES.glob("*/README.md")))
# Servers, for which there are `serving` and a browser's test, and programs of hardware, which
# another command of the README replaces.
ENDLESS = ("edge-experts serve", "python -m http.server", "rpicam-vid", "arecord")
_PORT = "8080"  # that READMEs show


def shown(name: str) -> list[str]:
    """Commands of an example's README: its indented lines, joined where a backslash ends one."""
    text = (EXAMPLES / name / "README.md").read_text("utf-8")
    blocks = re.findall(r"(?m)^    (\S(?:.*\\\n)*.*)$", text)
    return [re.sub(r"\\\n\s*", "", block) for block in blocks]


def require(*names: str) -> None:
    """Skip where a program is not installed; in CI, which installs them, fail."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            f"{', '.join(missing)} not installed; .ci/run does it"
        )


class Programs:
    """A copy of examples/ with a shell that has this environment's programs.

    Args:
        folder: where the copy is made. The committed bundles are links.
        env: further variables of the shell.
    """

    def __init__(self, folder: Path, env: dict[str, str] | None = None):
        self.folder = folder
        shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("*.bundle"))
        for bundle in EXAMPLES.glob("*.bundle"):
            (folder / bundle.name).symlink_to(bundle)
        # Not beside `sys.executable`, in whose place other tests put a program of theirs.
        programs = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
        self._env = {**os.environ, "PATH": programs, **(env or {})}

    def run(self, name: str, command: str, exit_code: int = 0) -> str:
        """Output of a command in an example's folder: stdout, or stderr of one that must fail."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder / name,
            env=self._env,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=1200,
        )
        assert done.returncode == exit_code, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stderr if exit_code else done.stdout

    def run_shown(self, name: str, port: str = _PORT) -> dict[str, str]:
        """Output of each command that the README shows and that ends, run in its order."""
        return {
            command: self.run(name, command.replace(_PORT, port))
            for command in shown(name)
            if not command.startswith(ENDLESS)
        }

    @contextmanager
    def serving(self, name: str, command: str) -> Iterator[str]:
        """Runs `edge-experts serve ...` as shown, on a free port, which is yielded."""
        words = shlex.split(command.replace(_PORT, "0"))
        with subprocess.Popen(
            words, cwd=self.folder / name, env=self._env, stderr=subprocess.PIPE, encoding="utf-8"
        ) as child:
            try:
                assert child.stderr is not None
                said = []
                for line in child.stderr:
                    said.append(line)
                    if found := re.search(r"http://[\w.]+:(\d+)", line):
                        yield found[1]
                        break
                else:
                    raise AssertionError(said)
            finally:
                child.send_signal(signal.SIGTERM)
                child.communicate(timeout=60)
