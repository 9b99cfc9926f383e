"""A storage that fails: whichever operation it is, the old or the new bundle is current and whole,
and the next install succeeds.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_experts import subprocesses
from edge_experts.format import disk
from edge_experts.format.atomic import staged, write_whole
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime.memory import measured_costs
from edge_experts.updates import signing
from edge_experts.updates.install import install, rollback
from tests.faults.conftest import Bundles, leftovers, whole
from tests.faults.crashes import OPERATIONS
from tests.tiny import tiny_bundle

pytestmark = pytest.mark.usefixtures("quick")
Roots = Callable[..., Path]
ERRORS = (errno.ENOSPC, errno.EIO, errno.EINTR)


class Failing:
    """Lets the operation of this number fail once: undone, or done and said to have failed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, error: int, done: bool):
        self._left, self._error, self._done = number, error, done
        self.failed: str | None = None
        for name in OPERATIONS:
            monkeypatch.setattr(disk, name, self._wrapped(name, getattr(disk, name)))

    def _wrapped(self, name: str, real: Callable[..., None]) -> Callable[..., None]:
        def call(*args: Any, **options: Any) -> None:
            self._left -= 1
            if self._left == -1:
                self.failed = name
                if self._done:
                    real(*args, **options)
                elif name == "write":  # a full disk takes what still fits
                    real(args[0], args[1][: len(args[1]) // 2], **options)
                raise OSError(self._error, os.strerror(self._error), str(args[0]))
            real(*args, **options)

        return call


def cut(root: Path, versions: Bundles) -> None:
    """What an earlier install left when it was killed."""
    partial = root / "versions" / ".4-0123456789ab.12345678.partial"
    (partial / "experts").mkdir(parents=True)
    (partial / "router.tflite").write_bytes(b"half")
    shutil.copytree(versions[4], root / "versions" / "4-0123456789ab")
    (root / ".current.partial").symlink_to("versions/none")
    (root / ".history.json.12345678.partial").write_bytes(b"{")


SCENARIOS: dict[str, tuple[tuple[int, ...], int, set[int]]] = {
    "first": ((), 1, {0, 1}),
    "update": ((1,), 2, {1, 2}),
    "update that removes a version": ((1, 2), 3, {2, 3}),
    "update over leftovers": ((1, 2), 3, {2, 3}),
    "rollback": ((1, 2), 0, {1, 2}),
}


@pytest.mark.parametrize("done", [False, True], ids=["undone", "done"])
@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_operation_fails(
    scenario: str,
    error: int,
    done: bool,
    bundles: Bundles,
    root_with: Roots,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed, to, allowed = SCENARIOS[scenario]
    seen: dict[str, int] = {}
    for number in range(1000):
        root = root_with(*installed)
        if "leftovers" in scenario:
            cut(root, bundles)
        with monkeypatch.context() as patch:
            failing = Failing(patch, number, error, done)
            try:
                if to:
                    install(bundles[to], root)
                else:
                    rollback(root)
                told = False
            except OSError as problem:
                told = problem.errno == error
        if failing.failed is None:
            break
        seen[failing.failed] = seen.get(failing.failed, 0) + 1
        version = whole(root)
        assert version in allowed, failing.failed
        # It may end well where a failure changes nothing: a copy for a link, an old version left.
        assert told or version == (to or 1)
        following = to if to and version != to else max((*installed, to)) + 1
        install(bundles[following], root)
        assert whole(root) == following
        assert leftovers(root) == []
    assert number > (2 if scenario == "rollback" else 20)
    assert {"symlink", "rename", "fsync"} <= set(seen)
    if scenario == "update over leftovers":
        assert set(seen) == set(OPERATIONS)


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_a_key_that_cannot_be_kept_is_not_needed_afterwards(
    error: int, bundles: Bundles, root_with: Roots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = signing.keygen(tmp_path / "my.key")
    signed = Path(shutil.copytree(bundles[2], tmp_path / "signed"))
    signing.sign(signed, tmp_path / "my.key")
    for number in range(1000):
        root = root_with(1)
        with monkeypatch.context() as patch:
            failing = Failing(patch, number, error, done=False)
            with contextlib.suppress(OSError):
                install(signed, root, trust=[key.path])
        if failing.failed is None:
            break
        assert whole(root) == 1 or (root / "trusted").is_dir()
        assert install(signed, root, trust=[key.path]).signed_by is not None
        assert whole(root) == 2
        assert leftovers(root) == []
    assert number > 20


def test_figures_that_cannot_be_kept_are_measured_by_the_next_install(
    root_with: Roots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In this process: so many others would take minutes.
    monkeypatch.setattr(subprocesses, "call", lambda function, *args: function(*args))
    bundle = tiny_bundle(tmp_path / "bundle", version=2, seeds=(8, 9), here=False)
    for number in range(1000):
        root = root_with(1)
        with monkeypatch.context() as patch:
            failing = Failing(patch, number, errno.ENOSPC, done=False)
            with contextlib.suppress(OSError):
                install(bundle, root)
        if failing.failed is None:
            break
        assert whole(root) in (1, 2)
        install(bundle, root)
        assert whole(root) == 2
        assert measured_costs.cover(root, read_manifest(bundle))
        assert leftovers(root) == []
    assert number > 20


@pytest.mark.parametrize("done", [False, True], ids=["undone", "done"])
def test_a_file_or_folder_that_cannot_be_written_whole_stays_what_it_was(
    done: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def folder() -> None:
        with staged(tmp_path / "folder", force=True) as new:
            (new / "a").write_text("new")

    def file() -> None:
        write_whole(tmp_path / "file", "new")

    for run, kept in ((file, tmp_path / "file"), (folder, tmp_path / "folder" / "a")):
        for number in range(100):
            shutil.rmtree(tmp_path / "folder", ignore_errors=True)
            (tmp_path / "folder").mkdir()
            for path in (tmp_path / "file", tmp_path / "folder" / "a"):
                path.write_text("old")
            with monkeypatch.context() as patch:
                failing = Failing(patch, number, errno.EIO, done)
                with contextlib.suppress(OSError):
                    run()
            if failing.failed is None:
                break
            assert kept.read_text() in ("old", "new")
        assert kept.read_text() == "new"
        assert number > 2
