"""Lost power: whatever the disk kept, the old or the new bundle is current, and the next one is
installed as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_experts.errors import BundleError, OldVersionError
from edge_experts.format.atomic import write_whole
from edge_experts.updates import signing
from edge_experts.updates.install import install, rollback
from edge_experts.updates.root import Root, version_of
from tests.faults.conftest import Bundles, leftovers, whole
from tests.faults.crashes import Disk, Operation, Tree, rebuilt, recorded
from tests.faults.test_failing import Failing

pytestmark = pytest.mark.usefixtures("quick")
Roots = Callable[..., Path]


def states(
    operations: list[Operation], base: Path, *, at_the_end: bool = False, seed: int = 0
) -> dict[tuple[object, ...], tuple[bool, Tree]]:
    """What may be found, each once, and whether the run had ended by then."""
    replayed, chance = Disk(base), random.Random(seed)
    found: dict[tuple[object, ...], tuple[bool, Tree]] = {}
    for count in range(len(operations) + 1):
        if count:
            replayed.apply(operations[count - 1])
        ended = count == len(operations)
        if at_the_end and not ended:
            continue
        for tree in replayed.crashes(chance):
            found[(ended, *tree.items())] = ended, tree
    return found


def replayed(
    run: Callable[[Path], object],
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    needed: Callable[[Operation], bool] = lambda operation: True,
    *,
    at_the_end: bool = False,
) -> list[tuple[bool, Tree]]:
    """Run it, and what may be found after lost power at any time from its begin to its end."""
    before = root.parent.with_name("before")
    shutil.rmtree(before, ignore_errors=True)
    shutil.copytree(root.parent, before, symlinks=True)
    operations = recorded(lambda: run(root), monkeypatch)
    moved = [
        (name, tuple(_in(before, root.parent, arg) for arg in args))
        for name, args in filter(needed, operations)
    ]
    return list(states(moved, before, at_the_end=at_the_end).values())


def _in(base: Path, other: Path, argument: object) -> object:
    return base / argument.relative_to(other) if isinstance(argument, Path) else argument


SCENARIOS = {
    "first": ((), 1, {0, 1}),
    "update": ((1,), 2, {1, 2}),
    "update that removes a version": ((1, 2), 3, {2, 3}),
    "rollback": ((1, 2), 0, {1, 2}),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_power_is_lost(
    scenario: str,
    bundles: Bundles,
    root_with: Roots,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed, to, allowed = SCENARIOS[scenario]
    run = (lambda root: install(bundles[to], root)) if to else rollback
    found = replayed(run, root_with(*installed), monkeypatch)
    after, seen = to or 1, set()
    for number, (ended, tree) in enumerate(found):
        base = tmp_path / f"state-{number}"
        rebuilt(tree, base)
        root = base / "root"
        version = whole(root)
        seen.add(version)
        assert version in ({after} if ended else allowed), tree
        if version:
            with Root.locked(root) as locked:
                newest = locked.history().newest
            assert newest is not None
            assert version_of(newest) >= max((*installed, version))
        following = to if to and version != to else max((*installed, to)) + 1
        assert install(bundles[following], root).changed
        assert whole(root) == following
        assert leftovers(root) == []
        if following > 1:
            with pytest.raises(OldVersionError):
                install(bundles[1], root)
        shutil.rmtree(base)
    assert seen == allowed, "the model must show both"


@pytest.mark.parametrize("forgotten", ["a file", "versions", "root"])
def test_the_model_shows_what_a_forgotten_fsync_does(
    forgotten: str,
    bundles: Bundles,
    root_with: Roots,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def needed(operation: Operation) -> bool:
        name, args = operation
        if name != "fsync":
            return True
        what = args[0].name if args[0].name in ("versions", "root") else "a file"
        return bool(what != forgotten)

    root = root_with(1)
    found = replayed(lambda root: install(bundles[2], root), root, monkeypatch, needed)
    wrong = 0
    for number, (ended, tree) in enumerate(found):
        base = tmp_path / f"state-{number}"
        rebuilt(tree, base)
        try:
            wrong += whole(base / "root") == 1 and ended
        except BundleError:
            wrong += 1
        shutil.rmtree(base)
    assert wrong > 0


def test_a_key_is_pinned_before_its_bundle_is_current(
    bundles: Bundles, root_with: Roots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing.keygen(tmp_path / "my.key")
    signed = Path(shutil.copytree(bundles[2], tmp_path / "signed"))
    signing.sign(signed, tmp_path / "my.key")
    trust = [tmp_path / "my.key.pub"]
    found = replayed(lambda root: install(signed, root, trust=trust), root_with(1), monkeypatch)
    seen = set()
    for number, (_, tree) in enumerate(found):
        base = tmp_path / f"state-{number}"
        rebuilt(tree, base)
        version, pinned = whole(base / "root"), len(Root(base / "root").keys())
        assert version == 1 or pinned == 1
        seen.add((version, pinned))
        shutil.rmtree(base)
    assert seen == {(1, 0), (1, 1), (2, 1)}


@pytest.mark.parametrize("installed", [(), (1,)], ids=["first", "update"])
def test_an_install_after_a_failed_one_is_on_the_disk(
    installed: tuple[int, ...],
    bundles: Bundles,
    root_with: Roots,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def twice(number: int, root: Path) -> None:
        with monkeypatch.context() as patch, contextlib.suppress(OSError):
            failing.append(Failing(patch, number, errno.EIO, done=False))
            install(bundles[2], root)
        install(bundles[2], root)

    failing: list[Failing] = []
    for number in range(1000):
        run = functools.partial(twice, number)
        for _, tree in replayed(run, root_with(*installed), monkeypatch, at_the_end=True):
            rebuilt(tree, tmp_path / "state")
            assert whole(tmp_path / "state" / "root") == 2, failing[-1].failed
            shutil.rmtree(tmp_path / "state")
        if failing[-1].failed is None:
            break
    assert number > 20


def test_a_file_that_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "file").write_text("old")
    found = replayed(lambda path: write_whole(path, "new"), base / "file", monkeypatch)
    seen = {(ended, tree["file"]) for ended, tree in found}
    assert seen == {(False, b"old"), (False, b"new"), (True, b"new")}
