"""Install roots that 0.1.0 left, with a history and an interrupted install, go on working.

Versions 1, 2 and 3 were installed, then a rollback made 2 current again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import InstalledRuntime
from tests.conftest import run_cli

from . import answers
from .data import BUNDLES, DATA, snapshot, unpack


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return unpack("installed", tmp_path)


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    return unpack("installed_signed", tmp_path)


def _json(*arguments: object) -> Any:
    done = run_cli(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _check(runtime: InstalledRuntime, version: int) -> None:
    """Assert that the runtime answers as that version did with 0.1.0."""
    inputs, wanted = answers.recorded(f"version_{version}")
    given = answers.ask(runtime, inputs)
    assert runtime.manifest.bundle_version == version
    answers.refuse_other(wanted, given, inputs, floats=version in (2, 4))


def _versions(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "versions").iterdir())


def test_the_links_between_versions_were_kept(root: Path) -> None:
    assert (root / "current").is_symlink()
    assert _versions(root) == snapshot("installed")["installed"]
    assert (root / "current/features.npz").stat().st_nlink == 3


def test_a_runtime_follows_a_rollback_and_an_install(root: Path) -> None:
    with InstalledRuntime(root, check_every=0) as runtime:
        _check(runtime, 2)
        assert _json("rollback", root)["current"].startswith("1-")
        _check(runtime, 1)
        told = _json("install", DATA / "next.zip", root)
        assert (told["current"][:2], told["previous"][:2]) == ("4-", "1-")
        _check(runtime, 4)
        assert _json("rollback", root)["current"].startswith("1-")
        _check(runtime, 1)


def test_an_install_removes_what_an_interrupted_one_left(root: Path) -> None:
    assert any(name.startswith(".5-") for name in _versions(root))
    told = _json("install", DATA / "next.zip", root, "--keep", 3)
    assert told["reused_bytes"] > 0, "features are those of an installed version"
    assert [name[:2] for name in _versions(root)] == ["1-", "2-", "4-"]


def test_an_archive_of_what_changed_is_filled_up_from_version_1(root: Path) -> None:
    told = _json("install", DATA / "next_since_1.zip", root)
    assert told["current"].startswith("4-")
    with InstalledRuntime(root) as runtime:
        _check(runtime, 4)


def test_a_version_below_the_newest_ever_is_refused(root: Path) -> None:
    bundle = BUNDLES / "text.bundle"
    assert run_cli("install", bundle, root).returncode == 3
    assert _json("install", bundle, root, "--allow-older")["current"].startswith("1-")


def test_a_root_with_a_key_takes_signed_bundles_only(signed: Path) -> None:
    assert run_cli("verify", signed).returncode == 0
    done = run_cli("install", DATA / "next.zip", signed)
    assert done.returncode == 3
    assert (signed / "current").readlink().name.startswith("2-")
    assert _json("install", DATA / "next_signed.zip", signed)["signed_by"]
    with InstalledRuntime(signed) as runtime:
        _check(runtime, 4)


def test_the_command_line_answers_from_the_current_version(root: Path) -> None:
    inputs, wanted = answers.recorded("version_2")
    lines = "".join(f"{line}\n" for line in inputs[:50])
    done = run_cli("run", root, "--json", stdin=lines)
    assert done.returncode == 0, done.stderr
    told = np.array([json.loads(line)["label"] for line in done.stdout.splitlines()])
    assert len(told) == 50
    assert (told == wanted.texts[:50]).all(), "version 2 is in float32"
