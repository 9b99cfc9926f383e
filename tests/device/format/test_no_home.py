"""A user without a home folder, as in containers: neither $HOME nor an entry in passwd."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_experts.format import atomic
from tests.tiny import tiny_bundle

# A module that Python imports at its start: a user whom passwd does not know.
_NO_ENTRY = """
import pwd
def _none(*_):
    raise KeyError("no such user")
pwd.getpwuid = _none
"""


@pytest.fixture
def _homeless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fail(*_: object) -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("EDGE_EXPERTS_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", fail)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    atomic._temporary_cache.cache_clear()
    yield
    atomic._temporary_cache.cache_clear()


@pytest.mark.usefixtures("_homeless")
def test_the_cache_is_a_temporary_folder_of_this_user_alone(tmp_path: Path) -> None:
    folder = atomic.cache_folder()
    assert folder.parent == tmp_path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    atomic._temporary_cache.cache_clear()
    assert atomic.cache_folder() == folder, "found again by the next command"


@pytest.mark.usefixtures("_homeless")
@pytest.mark.parametrize("kind", ["open to others", "link", "file"])
def test_a_name_that_another_user_took_is_not_used(tmp_path: Path, kind: str) -> None:
    taken = tmp_path / f"edge-experts-{os.getuid()}"
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        taken.symlink_to(tmp_path / "elsewhere")
    elif kind == "file":
        taken.touch()
    else:
        taken.mkdir()
        taken.chmod(0o777)
    folder = atomic.cache_folder()
    assert folder != taken
    assert folder.is_dir()


@pytest.mark.parametrize("command", [["--help"], ["run", "tiny.bundle", "[1, 2]"], ["doctor"]])
def test_commands_work(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(_NO_ENTRY)
    tiny_bundle(tmp_path / "tiny.bundle")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-m", "edge_experts", *command],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "~").exists()
